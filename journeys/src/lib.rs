//! Stories across processes, over real Postgres, NATS and Redis; the tests are in `tests/`, what they share is here.
