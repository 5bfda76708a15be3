import { postgresPrograms, startPostgres } from "../servers/postgres.js";
import { need } from "../servers/server.js";
import { networkSuite } from "./network-suite.js";

networkSuite("PostgreSQL", (skip) => startPostgres(need(postgresPrograms(), "postgresql", skip)));
