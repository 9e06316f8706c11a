CREATE TABLE alert_looks ( model TEXT NOT NULL, monitor TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (model, monitor) )
;;
CREATE TABLE alerts ( id TEXT NOT NULL, model TEXT NOT NULL, monitor TEXT NOT NULL, state TEXT NOT NULL, since BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id) )
;;
CREATE INDEX ix_alerts_since ON alerts (since)
;;
CREATE UNIQUE INDEX ux_alerts_open ON alerts (model, monitor) WHERE state != 'resolved'
;;
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
CREATE TABLE monitor_states ( model TEXT NOT NULL, monitor TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (model, monitor) )
;;
CREATE TABLE notifications ( id TEXT NOT NULL, sink TEXT NOT NULL, alert_id TEXT NOT NULL, event TEXT NOT NULL, created_at BIGINT NOT NULL, due_at BIGINT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, error TEXT NOT NULL, ended_at BIGINT, PRIMARY KEY (id) )
;;
CREATE INDEX ix_notifications_waiting ON notifications (sink, state, due_at)
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
CREATE TABLE silences ( id TEXT NOT NULL, model TEXT NOT NULL, monitor TEXT NOT NULL, created_at BIGINT NOT NULL, until BIGINT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (id) )
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
INSERT INTO alert_looks ("model", "monitor", "at") VALUES ('adclick', 'drift', 1772366400123457)
;;
INSERT INTO alerts ("id", "model", "monitor", "state", "since", "body") VALUES ('alert-1', 'adclick', 'drift', 'firing', 1772366400123457, '{"id":"alert-1","model":"adclick","monitor":"drift","severity":"warning","state":"firing","since":"2026-03-01T12:00:00.123457Z","last_seen":"2026-03-01T12:00:00.123457Z","causes":[{"monitor":"drift","kind":"drift","subject":"age","window":{"start":"2026-02-28T12:00:00.123457Z","end":"2026-03-01T12:00:00.123457Z"},"at":"2026-03-01T12:00:00.123457Z","state":"bad","release":7,"slice":{},"value":0.31,"low":null,"high":null,"reference":null,"bar":0.1,"rows":5000,"method":"KS","p_value":null,"estimated":false,"note":"","example":{}}],"owner":"","fired_at":"2026-03-01T12:00:00.123457Z","resolved_at":null,"told_at":null,"fine_since":null,"times_changed":0,"ending":""}')
;;
INSERT INTO api_keys ("id", "name", "digest", "roles", "created_at", "expires_at", "revoked_at") VALUES ('k1', 'web', '$argon2id$v=19$k1', '["predict"]', 1772366400123457, NULL, 1772366700123457)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366400123457, 'adclick', 'champion', NULL, 1, 'ana', 'first', 1, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366460123457, 'adclick', 'challenger', NULL, 2, 'run r2', 'passed', 2, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366520123457, 'adclick', 'traffic', NULL, NULL, 'ana', 'try “it”', 3, '{"before":{"canary":null,"arms":[],"shadows":[]},"after":{"canary":{"number":2,"share":0.1},"arms":[],"shadows":[{"number":3,"share":1.0}]}}')
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366580123457, '', 'key web', NULL, NULL, 'ana', 'created for predict', 3, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366640123457, 'adclick', 'champion', 1, 2, 'ben', 'better', 4, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366640123457, 'adclick', 'challenger', 2, NULL, 'ben', 'better', 4, NULL)
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366640123457, 'adclick', 'traffic', NULL, NULL, 'ben', 'better', 4, '{"before":{"canary":{"number":2,"share":0.1},"arms":[],"shadows":[{"number":3,"share":1.0}]},"after":{"canary":null,"arms":[],"shadows":[{"number":3,"share":1.0}]}}')
;;
INSERT INTO audit ("at", "model", "alias", "before", "after", "actor", "reason", "generation", "detail") VALUES (1772366700123457, '', 'key web', NULL, NULL, 'ben', 'revoked: it leaked', 4, NULL)
;;
INSERT INTO generation ("id", "value") VALUES (1, 4)
;;
INSERT INTO leases ("name", "token", "owner", "host", "pid", "process_start", "expires_at") VALUES ('controller', 1, NULL, 'vm pid:[4026531836]', 24925, 'd7dc5930-1182-413c-8cd7-c5b675e8f669:4632482', 1772366760123457)
;;
INSERT INTO monitor_states ("model", "monitor", "state") VALUES ('adclick', 'concept', '{"seen":3}')
;;
INSERT INTO notifications ("id", "sink", "alert_id", "event", "created_at", "due_at", "state", "attempts", "error", "ended_at") VALUES ('alert-1-fired-webhook', 'webhook', 'alert-1', '{"id":"alert-1-fired","kind":"fired","at":"2026-03-01T12:00:00.123457Z","alert":{"id":"alert-1","model":"adclick","monitor":"drift","severity":"warning","state":"firing","since":"2026-03-01T12:00:00.123457Z","last_seen":"2026-03-01T12:00:00.123457Z","causes":[{"monitor":"drift","kind":"drift","subject":"age","window":{"start":"2026-02-28T12:00:00.123457Z","end":"2026-03-01T12:00:00.123457Z"},"at":"2026-03-01T12:00:00.123457Z","state":"bad","release":7,"slice":{},"value":0.31,"low":null,"high":null,"reference":null,"bar":0.1,"rows":5000,"method":"KS","p_value":null,"estimated":false,"note":"","example":{}}],"owner":"","fired_at":"2026-03-01T12:00:00.123457Z","resolved_at":null,"told_at":null,"fine_since":null,"times_changed":0,"ending":""},"more":0}', 1772366400123457, 1772366400123457, 'waiting', 0, '', NULL)
;;
INSERT INTO numbers ("model", "number", "run_id") VALUES ('adclick', 1, 'r1')
;;
INSERT INTO numbers ("model", "number", "run_id") VALUES ('adclick', 2, 'r2')
;;
INSERT INTO numbers ("model", "number", "run_id") VALUES ('adclick', 3, 'r3')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 1, 'r1', 'digest1', 'adclick/1', 1772366460123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 2, 'r2', 'digest2', 'adclick/2', 1772366520123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 3, 'r3', 'digest3', 'adclick/3', 1772366580123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO runs ("id", "model", "state", "stage", "budget", "started_at", "ended_at", "snapshot", "release", "tracking_id", "detail") VALUES ('r1', 'adclick', 'running', 'snapshot', '{"seconds":120}', 1772366400123457, NULL, NULL, NULL, NULL, '{}')
;;
INSERT INTO schema_version ("version") VALUES (3)
;;
INSERT INTO silences ("id", "model", "monitor", "created_at", "until", "by", "reason") VALUES ('s1', 'ad*', '*', 1772366400123457, 1772370000123457, 'ana', 'campaign')
;;
INSERT INTO snapshots ("id", "source", "table_place", "version", "row_count", "parts", "columns", "created_at", "parent") VALUES ('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'clicks.csv', 'clicks', 0, 3, '[{"name":"a.csv","digest":"d1","rows":2},{"name":"b.csv","digest":"d2","rows":1}]', '[["age","integer"],["naïve “x”","text"]]', 1772366400123457, NULL)
;;
INSERT INTO traffic ("model", "rules") VALUES ('adclick', '{"canary":null,"arms":[],"shadows":[{"number":3,"share":1.0}]}')
;;
INSERT INTO workers ("worker", "gateway", "generation", "expires_at", "behind") VALUES ('w1', 'g', 4, 1772366820123457, '{"adclick":3}')
;;
INSERT INTO aliases ("model", "alias", "number") VALUES ('adclick', 'champion', 2)
