import { needRedis, startRedis } from "../servers/redis.js";
import { networkSuite } from "./network-suite.js";

networkSuite("Redis", (skip) => startRedis(needRedis(skip), ["--appendonly", "yes"]));
