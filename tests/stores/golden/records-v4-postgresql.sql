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
CREATE TABLE generation ( id SERIAL NOT NULL, value BIGINT NOT NULL, PRIMARY KEY (id), CHECK (id = 1) )
;;
CREATE TABLE history ( id BIGINT NOT NULL, at BIGINT NOT NULL, model TEXT NOT NULL, kind TEXT NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL, detail TEXT NOT NULL, once TEXT, previous TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (id) )
;;
CREATE INDEX ix_history_at ON history (at, id)
;;
CREATE INDEX ix_history_kind ON history (model, kind, id)
;;
CREATE INDEX ix_history_model ON history (model, id)
;;
CREATE UNIQUE INDEX ux_history_once ON history (model, kind, once)
;;
CREATE TABLE history_head ( id SERIAL NOT NULL, entries BIGINT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (id), CHECK (id = 1) )
;;
CREATE TABLE leases ( name TEXT NOT NULL, token BIGINT NOT NULL, owner TEXT, host TEXT, pid INTEGER, process_start TEXT, expires_at BIGINT NOT NULL, PRIMARY KEY (name) )
;;
CREATE TABLE loop_states ( model TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (model) )
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
CREATE TABLE rollouts ( id TEXT NOT NULL, model TEXT NOT NULL, started_at BIGINT NOT NULL, ended BOOLEAN NOT NULL, body TEXT NOT NULL, PRIMARY KEY (id) )
;;
CREATE INDEX ix_rollouts_started_at ON rollouts (started_at)
;;
CREATE UNIQUE INDEX ux_rollouts_open ON rollouts (model) WHERE ended IS false
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
INSERT INTO generation ("id", "value") VALUES (1, 1)
;;
INSERT INTO history ("id", "at", "model", "kind", "actor", "reason", "detail", "once", "previous", "digest") VALUES (1, 1772366400123457, 'adclick', 'training', 'run r1', 'by hand', '{"budget":{"seconds":120},"run":"r1","stage":"snapshot","state":"running"}', NULL, '0000000000000000000000000000000000000000000000000000000000000000', '2be495df5b692ed59ac05eaab6a42fcdeeb18879819b98d56e0bec92abd2ee14')
;;
INSERT INTO history ("id", "at", "model", "kind", "actor", "reason", "detail", "once", "previous", "digest") VALUES (2, 1772366400123457, 'adclick', 'champion', 'ana', 'first', '{"after":1,"before":null,"generation":1}', NULL, '2be495df5b692ed59ac05eaab6a42fcdeeb18879819b98d56e0bec92abd2ee14', '70e608ccc1db99d6ecc0988aa9fe7384486044df152d69b734db95405ee5c683')
;;
INSERT INTO history ("id", "at", "model", "kind", "actor", "reason", "detail", "once", "previous", "digest") VALUES (3, 1772366400123457, 'adclick', 'rollout', 'controller', 'a run passed its gates', '{"challenger":2,"champion":1,"evidence":{"guards":[["failures","pass","0 of 3"]],"quality":{"high":null,"low":-0.25,"rows":3}},"from":null,"plan":{"alpha":0.05,"bake":"1h","canary":{"each":"5m","steps":[2.5,50]},"deadline":"7d","latency":3.0,"margin":0.0,"metric":"log_loss","min_requests":500,"promote":"better","replay":"7d","shadow":"10m"},"rollout":"o1","to":{"end":null,"paused_at":null,"stage":"shadow","step":0}}', NULL, '70e608ccc1db99d6ecc0988aa9fe7384486044df152d69b734db95405ee5c683', 'a9e09b8fb1baeaf611a2aa19d9ae6f0db30039d205d6b82adcd70aefe50a3678')
;;
INSERT INTO history_head ("id", "entries", "digest") VALUES (1, 3, 'a9e09b8fb1baeaf611a2aa19d9ae6f0db30039d205d6b82adcd70aefe50a3678')
;;
INSERT INTO loop_states ("model", "state") VALUES ('adclick', '{"format":1,"note":"“x”"}')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 1, 'r1', 'digest1', 'adclick/1', 1772366460123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO releases ("model", "number", "run_id", "digest", "place", "created_at", "runtime", "metrics") VALUES ('adclick', 2, 'r2', 'digest2', 'adclick/2', 1772366520123457, 'onnx', '{"roc_auc":{"value":0.9,"low":0.88,"high":0.92,"rows":1000},"f1":{"value":null,"low":null,"high":null,"rows":0}}')
;;
INSERT INTO rollouts ("id", "model", "started_at", "ended", "body") VALUES ('o1', 'adclick', 1772366400123457, false, '{"id":"o1","model":"adclick","challenger":2,"before":1,"plan":{"shadow":"10m","canary":{"steps":[2.5,50],"each":"5m"},"min_requests":500,"promote":"better","metric":"log_loss","margin":0.0,"replay":"7d","deadline":"7d","bake":"1h","latency":3.0,"alpha":0.05},"stage":"shadow","started_at":"2026-03-01T12:00:00.123457Z","entered_at":"2026-03-01T12:00:00.123457Z","step":0,"paused_at":null,"ended_at":null,"end":null,"note":"a run passed its gates","evidence":{"quality":{"rows":3,"low":-0.25,"high":null},"guards":[["failures","pass","0 of 3"]]},"version":1,"seconds":0.0,"seconds_in_all":0.0,"looked_at":null,"settled":true,"ending":null,"progress":{}}')
;;
INSERT INTO runs ("id", "model", "state", "stage", "budget", "started_at", "ended_at", "snapshot", "release", "tracking_id", "detail") VALUES ('r1', 'adclick', 'running', 'snapshot', '{"seconds":120}', 1772366400123457, NULL, NULL, NULL, NULL, '{}')
;;
INSERT INTO schema_version ("version") VALUES (4)
;;
INSERT INTO aliases ("model", "alias", "number") VALUES ('adclick', 'champion', 1)
;;
CREATE FUNCTION history_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the history is append-only'; END $$
;;
CREATE TRIGGER history_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON history FOR EACH STATEMENT EXECUTE FUNCTION history_append_only()
