import { etcdProgram, startEtcd } from "../servers/etcd.js";
import { need } from "../servers/server.js";
import { networkSuite } from "./network-suite.js";

networkSuite("etcd", async (skip) => {
  need(etcdProgram, "etcd-server", skip);
  return startEtcd();
});
