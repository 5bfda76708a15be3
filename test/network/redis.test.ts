import { needRedis, startRedis } from "../servers/redis.js";
import { networkSuite } from "./network-suite.js";

// Written before each answer, so that it survives a kill; "everysec" may hold it back while it flushes.
const settings = ["--appendonly", "yes", "--appendfsync", "no"];

networkSuite("Redis", (skip) => startRedis(needRedis(skip), settings));
