// Glue as teams write it in Node: Fastify, node-rdkafka, ioredis. Store the event, announce it,
// answer.
'use strict';

const fastify = require('fastify');
const Redis = require('ioredis');
const { HighLevelProducer } = require('node-rdkafka');

const { LISTEN, KAFKA_BROKERS, KAFKA_TOPIC, REDIS_URL } = process.env;

const producer = new HighLevelProducer({
  'metadata.broker.list': KAFKA_BROKERS,
  acks: 'all',
  // librdkafka's default of 5 ms is not for those who wait for an answer.
  'linger.ms': 1,
  partitioner: 'murmur2_random',
});

const redis = REDIS_URL ? new Redis(REDIS_URL) : null;

function produce(event) {
  const value = Buffer.from(JSON.stringify(event));
  return new Promise((resolve, reject) => {
    producer.produce(KAFKA_TOPIC, null, value, event.source_id, null, (error, offset) =>
      error ? reject(error) : resolve(offset));
  });
}

async function announce({ id, type, source_id }) {
  if (!redis) return;
  try {
    await redis.publish(`events:${type}:${id}`, JSON.stringify({ id, type, source_id }));
  } catch (error) {
    console.error('not announced:', error.message);
  }
}

async function store(event) {
  const offset = await produce(event);
  await announce(event);
  return { id: event.id, offset };
}

const app = fastify({ bodyLimit: 16 * 1024 * 1024 });

app.get('/readyz', async () => 'ready');

app.post('/events', async (request, reply) => {
  const stored = await store(request.body);
  return reply.code(201).send(stored);
});

app.post('/events/batch', async (request, reply) => {
  const results = await Promise.all(request.body.map(store));
  return reply.code(201).send({ results });
});

producer.on('event.error', (error) => console.error(error));
producer.connect({}, (error) => {
  if (error) throw error;
  const [host, port] = LISTEN.split(':');
  app.listen({ host, port: Number(port) });
});
