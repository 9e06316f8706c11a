CREATE TABLE api_keys ( id TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, roles TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT, revoked_at BIGINT, PRIMARY KEY (id) )
;;
CREATE TABLE audit ( id BIGSERIAL NOT NULL, at BIGINT NOT NULL, model TEXT NOT NULL, alias TEXT NOT NULL, before INTEGER, after INTEGER, actor TEXT NOT NULL, reason TEXT NOT NULL, generation BIGINT NOT NULL, detail TEXT, PRIMARY KEY (id) )
;;
CREATE INDEX ix_audit_model ON audit (model)
;;
CREATE TABLE generation ( id SERIAL NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (id), CHECK (id = 1) )
;;
CREATE TABLE leases ( name TEXT NOT NULL, token BIGINT NOT NULL, owner TEXT, host TEXT, pid INTEGER, process_start TEXT, expires_at BIGINT NOT NULL, PRIMARY KEY (name) )
;;
CREATE TABLE numbers ( model TEXT NOT NULL, number INTEGER NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (model, number), UNIQUE (model, run_id) )
;;
CREATE TABLE releases ( model TEXT NOT NULL, number INTEGER NOT NULL, run_id TEXT NOT NULL, digest TEXT NOT NULL, place TEXT NOT NULL, created_at BIGINT NOT NULL, runtime TEXT NOT NULL, metrics TEXT NOT NULL, PRIMARY KEY (model, number) )
;;
CREATE TABLE runs ( id TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL, stage TEXT NOT NULL, budget TEXT NOT NULL, started_at BIGINT NOT NULL, ended_at BIGINT, snapshot TEXT, release INTEGER, tracking_id TEXT, detail TEXT NOT NULL, PRIMARY KEY (id) )
;;
CREATE INDEX ix_runs_model ON runs (model)
;;
CREATE TABLE schema_version ( version SERIAL NOT NULL, PRIMARY KEY (version) )
;;
CREATE TABLE snapshots ( id TEXT NOT NULL, source TEXT NOT NULL, table_place TEXT NOT NULL, version BIGINT NOT NULL, row_count BIGINT NOT NULL, parts TEXT NOT NULL, columns TEXT NOT NULL, created_at BIGINT NOT NULL, parent TEXT, PRIMARY KEY (id) )
;;
CREATE INDEX ix_snapshots_source ON snapshots (source)
;;
CREATE TABLE traffic ( model TEXT NOT NULL, rules TEXT NOT NULL, PRIMARY KEY (model) )
;;
CREATE TABLE workers ( worker TEXT NOT NULL, gateway TEXT NOT NULL, generation BIGINT NOT NULL, expires_at BIGINT NOT NULL, behind TEXT, PRIMARY KEY (worker) )
;;
CREATE TABLE aliases ( model TEXT NOT NULL, alias TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (model, alias), FOREIGN KEY(model, number) REFERENCES releases (model, number) )
;;
CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$
;;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_append_only()
;;
INSERT INTO api_keys ("id", "name", "digest", "roles", "created_at", "expires_at", "revoked_at") VALUES ('k1', 'web', '$argon2id$v=19$k1', '["predict"]', 1772366400123457, NULL, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1795283530919162, 'adclick', 'champion', NULL, 1, 'ana', 'first', 1, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1795283530922598, 'adclick', 'challenger', NULL, 2, 'run r2', 'passed', 2, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1795283530923887, 'adclick', 'traffic', NULL, NULL, 'ana', 'try', 3, '{"before":{"canary":null,"arms":[],"shadows":[]},"after":{"canary":{"number":2,"share":0.1},"arms":[],"shadows":[]}}')
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1795283530927569, '', 'key web', NULL, NULL, 'ana', 'created for predict', 3, NULL)
;;
INSERT INTO generation ("id", "value") VALUES (1, 3)
;;
INSERT INTO numbers ("model", "number", "run_id") VALUES ('adclick', 1, 'r1')
;;
INSERT INTO numbers ("model", "number", "run_id") VALUES ('adclick', 2, 'r2')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 1, 'r1', 'digest1', 'adclick/1', 1772366460123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 2, 'r2', 'digest2', 'adclick/2', 1772366520123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO runs ("id", "model", "state", "stage", "budget", "started_at", "ended_at", "snapshot", "release", "tracking_id", "detail") VALUES ('r1', 'adclick', 'running', 'snapshot', '{"seconds":120}', 1772366400123457, NULL, NULL, NULL, NULL, '{}')
;;
INSERT INTO schema_version ("version") VALUES (2)
;;
INSERT INTO snapshots ("id", "source", "table_place", "version", "row_count", "parts", "columns", "created_at", "parent") VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'clicks.csv', 'clicks', 0, 3, '[{"name":"a.csv","digest":"d1","rows":2},{"name":"b.csv","digest":"d2","rows":1}]', '[["age","integer"],["naïve “x”","text"]]', 1772366400123457, NULL)
;;
INSERT INTO traffic ("model", "rules") VALUES ('adclick', '{"canary":{"number":2,"share":0.1},"arms":[],"shadows":[]}')
;;
INSERT INTO workers ("worker", "gateway", "generation", "expires_at", "behind") VALUES ('w1', 'g', 3, 1795283531928983, '{"adclick":2}')
;;
INSERT INTO aliases ("model", "alias", "number") VALUES ('adclick', 'champion', 1)
;;
INSERT INTO aliases ("model", "alias", "number") VALUES ('adclick', 'challenger', 2)
