// The lab: networks of namespaces with real clients and servers around a director, for the demo, tests and benches.
// See lab.ts for the life cycle and topologies.ts for the networks.

export { AddressWatch, type Holding, hasAddress, overlapMicros, parseHoldings } from './address-watch.js';
export {
  Adverts,
  type CapturedAdvert,
  type CapturedAnnouncement,
  parseAdverts,
  parseAnnouncements,
} from './adverts.js';
export { BareDataplane, serviceRow } from './bare-dataplane.js';
export { Cable, type Cut } from './cable.js';
export { Capture } from './capture.js';
export { configText, type ServerSpec, type ServiceSpec, serverAt } from './config.js';
export { Dialogue, type Endurance, serveDialogue } from './dialogue.js';
export {
  cliFile,
  Director,
  type DirectorOptions,
  type FailoverStatus,
  type ListedService,
  parseList,
  type RouterStatus,
  repository,
} from './director.js';
export { type FrrOptions, FrrVrrp } from './frr.js';
export { type Answers, HttpServer, request, startHttp, urlOf } from './http.js';
export { inject } from './inject.js';
export { Keepalived, type Notice, parseNotices } from './keepalived.js';
export { Host, Lab, type LabOptions } from './lab.js';
export { mastersAtOnce } from './masters.js';
export { type Asked, isAnswer, Meter, nowMicros, type Outage, outageOf, parseRecord } from './meter.js';
export { namespacesOf, reapDeadRuns, runDir, sweep } from './namespaces.js';
export { failoverNeeds, labNeeds } from './needs.js';
export { directorText, Pair } from './pair.js';
export { type RunResult, run, runOk, TrackedProcess } from './process.js';
export { stallable } from './stall.js';
export * as topologies from './topologies.js';
export { vip, vip6 } from './topologies.js';
export type { Topology } from './topology.js';
export {
  connectError,
  datagram,
  datagramError,
  iperf,
  makeFile,
  md5Of,
  ping,
  shuffledDatagrams,
  startIperf,
  startUdp,
} from './traffic.js';
export { block, groupText, type RouterSpec, routerText } from './vrrp-config.js';
export { type AdvertFrame, advertFrame } from './vrrp-frames.js';
export { waitFor } from './wait.js';
