// The lab: networks of namespaces with real clients and servers around a director, for the demo, tests and benches.
// See lab.ts for the life cycle and topologies.ts for the networks.

export { Capture } from './capture.js';
export { configText, type ServerSpec, type ServiceSpec, serverAt } from './config.js';
export { cliFile, Director, type ListedService, parseList, repository } from './director.js';
export { type Answers, HttpServer, request, startHttp, urlOf } from './http.js';
export { inject } from './inject.js';
export { Host, Lab, type LabOptions } from './lab.js';
export { namespacesOf, reapDeadRuns, runDir, sweep } from './namespaces.js';
export { labNeeds } from './needs.js';
export { type RunResult, run, runOk, TrackedProcess } from './process.js';
export * as topologies from './topologies.js';
export { vip, vip6 } from './topologies.js';
export type { Topology } from './topology.js';
export { connectError, datagram, iperf, makeFile, md5Of, ping, startIperf, startUdp } from './traffic.js';
export { waitFor } from './wait.js';
