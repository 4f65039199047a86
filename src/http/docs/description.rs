//! Walking about in the OpenAPI description.

use yaml_rust2::{Yaml, YamlLoader};

use super::OPENAPI;

/// What a walk finds where there is nothing.
static NOTHING: Yaml = Yaml::BadValue;

/// The methods an OpenAPI path item may have operations for, in the order of the page.
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// A parsed OpenAPI description.
pub(super) struct Description(Yaml);

/// A place in a description. Where a reference was, it is the place that is meant; where nothing
/// is, it is empty: a page leaves out what is not described.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    root: &'a Yaml,
    yaml: &'a Yaml,
    name: Option<&'a str>,
}

/// An operation of the API.
pub(super) struct Operation<'a> {
    /// In capitals.
    pub(super) method: String,
    pub(super) path: &'a str,
    pub(super) node: Node<'a>,
}

impl Description {
    /// The description that is built into the binary.
    #[expect(clippy::expect_used, reason = "a constant that every test of the pages reads")]
    pub(super) fn embedded() -> Self {
        let mut documents = YamlLoader::load_from_str(OPENAPI).expect("openapi.yaml is YAML");
        Description(documents.swap_remove(0))
    }

    pub(super) fn root(&self) -> Node<'_> {
        Node { root: &self.0, yaml: &self.0, name: None }
    }

    pub(super) fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        self.root().get("paths").entries().flat_map(|(path, item)| {
            METHODS.into_iter().filter_map(move |method| {
                let node = item.get(method);
                node.exists().then(|| Operation { method: method.to_uppercase(), path, node })
            })
        })
    }
}

impl<'a> Node<'a> {
    /// The member of this name.
    pub(super) fn get(self, key: &str) -> Node<'a> {
        let member = self.yaml.as_hash().and_then(|members| members.get(&Yaml::String(key.into())));
        self.to(member.unwrap_or(&NOTHING))
    }

    /// The member of a member of a member.
    pub(super) fn at(self, path: &[&str]) -> Node<'a> {
        path.iter().fold(self, |node, key| node.get(key))
    }

    /// The items of a sequence.
    pub(super) fn items(self) -> impl Iterator<Item = Node<'a>> {
        self.yaml.as_vec().into_iter().flatten().map(move |item| self.to(item))
    }

    /// The members of a mapping, in the order of the file.
    pub(super) fn entries(self) -> impl Iterator<Item = (&'a str, Node<'a>)> {
        let members = self.yaml.as_hash().into_iter().flatten();
        members.filter_map(move |(key, value)| Some((key.as_str()?, self.to(value))))
    }

    /// The text here, or none.
    pub(super) fn text(self) -> &'a str {
        self.yaml.as_str().unwrap_or_default()
    }

    pub(super) fn number(self) -> Option<i64> {
        self.yaml.as_i64()
    }

    pub(super) fn is_true(self) -> bool {
        self.yaml.as_bool() == Some(true)
    }

    pub(super) fn exists(self) -> bool {
        !self.yaml.is_badvalue()
    }

    /// The name of the component, when a reference led here.
    pub(super) fn name(self) -> Option<&'a str> {
        self.name
    }

    /// The same place, as if it had been reached without a reference.
    pub(super) fn unnamed(self) -> Node<'a> {
        Node { name: None, ..self }
    }

    pub(super) fn yaml(self) -> &'a Yaml {
        self.yaml
    }

    fn to(self, yaml: &'a Yaml) -> Node<'a> {
        match yaml["$ref"].as_str() {
            Some(reference) => self.target(reference),
            None => Node { yaml, name: None, ..self },
        }
    }

    /// What a reference within the document (`#/components/…`) means.
    fn target(self, reference: &'a str) -> Node<'a> {
        let path = reference.trim_start_matches("#/").split('/');
        let yaml = path.fold(self.root, |yaml, key| &yaml[key]);
        Node { yaml, name: reference.rsplit('/').next(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_leads_somewhere() {
        let description = Description::embedded();
        let root = description.root();
        for line in OPENAPI.lines().filter(|line| line.contains("$ref:")) {
            let reference = line.split('\'').nth(1).unwrap();
            assert!(root.target(reference).exists(), "{reference}");
        }
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let description = Description::embedded();
        let nothing = description.root().at(&["info", "no", "such"]);
        assert!(!nothing.exists());
        assert_eq!((nothing.text(), nothing.items().count()), ("", 0));
    }
}
