// Glue as teams write it in Go: net/http, kafka-go, go-redis. Store the event, announce it,
// answer. With TUNED set, the writer has the settings that its default lacks for a service.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/segmentio/kafka-go"
)

type event struct {
	ID         string          `json:"id"`
	Type       string          `json:"type"`
	SourceType string          `json:"source_type"`
	SourceID   string          `json:"source_id"`
	Data       json.RawMessage `json:"data"`
}

type stored struct {
	ID string `json:"id"`
}

type notification struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	SourceID string `json:"source_id"`
}

type app struct {
	writer *kafka.Writer
	redis  *redis.Client
}

func main() {
	a := &app{writer: newWriter(), redis: newRedis()}
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {})
	http.HandleFunc("POST /events", a.create)
	http.HandleFunc("POST /events/batch", a.createBatch)
	log.Fatal(http.ListenAndServe(os.Getenv("LISTEN"), nil))
}

func newWriter() *kafka.Writer {
	writer := &kafka.Writer{
		Addr:         kafka.TCP(strings.Split(os.Getenv("KAFKA_BROKERS"), ",")...),
		Topic:        os.Getenv("KAFKA_TOPIC"),
		RequiredAcks: kafka.RequireAll,
	}
	if os.Getenv("TUNED") != "" {
		// Without these a single event waits a second for company, and keys are ignored.
		writer.BatchTimeout = time.Millisecond
		writer.BatchSize = 1000
		writer.Balancer = kafka.Murmur2Balancer{}
	}
	return writer
}

func newRedis() *redis.Client {
	url := os.Getenv("REDIS_URL")
	if url == "" {
		return nil
	}
	options, err := redis.ParseURL(url)
	if err != nil {
		log.Fatal(err)
	}
	return redis.NewClient(options)
}

func (a *app) create(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	var e event
	if err := json.Unmarshal(body, &e); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := a.store(r.Context(), []event{e}, []kafka.Message{message(e, body)}); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, stored{e.ID})
}

func (a *app) createBatch(w http.ResponseWriter, r *http.Request) {
	var bodies []json.RawMessage
	if err := json.NewDecoder(r.Body).Decode(&bodies); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	events := make([]event, len(bodies))
	messages := make([]kafka.Message, len(bodies))
	results := make([]stored, len(bodies))
	for i, body := range bodies {
		if err := json.Unmarshal(body, &events[i]); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		messages[i] = message(events[i], body)
		results[i] = stored{events[i].ID}
	}
	if err := a.store(r.Context(), events, messages); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	answer(w, map[string]any{"results": results})
}

func (a *app) store(ctx context.Context, events []event, messages []kafka.Message) error {
	if err := a.writer.WriteMessages(ctx, messages...); err != nil {
		return err
	}
	if a.redis == nil {
		return nil
	}
	pipeline := a.redis.Pipeline()
	for _, e := range events {
		text, err := json.Marshal(notification{e.ID, e.Type, e.SourceID})
		if err != nil {
			return err
		}
		pipeline.Publish(ctx, fmt.Sprintf("events:%s:%s", e.Type, e.ID), text)
	}
	if _, err := pipeline.Exec(ctx); err != nil {
		log.Print("not announced: ", err)
	}
	return nil
}

func message(e event, value []byte) kafka.Message {
	return kafka.Message{Key: []byte(e.SourceID), Value: value}
}

func answer(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	if err := json.NewEncoder(w).Encode(body); err != nil {
		log.Print(err)
	}
}
