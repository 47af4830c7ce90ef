// The library: `createDirector`, the types of what goes in and comes out, and data plane and network in memory for tests.

export { MemoryDataplane, type MemoryLimits } from './dataplane/memory.js';
export { MemoryNetwork, type MemoryNetworkOptions } from './dataplane/memory-network.js';
export { MemoryWire } from './dataplane/memory-wire.js';
export type { Network } from './dataplane/network.js';
export type { ConnectionPage, ConnectionRecord, Dataplane, Traffic } from './dataplane/port.js';
export { DirectorError, type ErrorCode } from './errors.js';
export type { IpAddress } from './model/address.js';
export type { DirectorConfig, RealServer, VirtualServer } from './model/director-config.js';
export type { DestinationId, ServiceId } from './model/service-id.js';
export type { Micros } from './model/units.js';
export type { ChangeRequest } from './runtime/changes.js';
export type { Clock } from './runtime/clock.js';
export { createDirector, type DirectorOptions } from './runtime/create-director.js';
export type { ChangeResult, Director } from './runtime/director.js';
export type { DirectorEvent } from './runtime/events.js';
export type { SwitchoverOutcome } from './runtime/failover/switchover.js';
export { ConfigError, type ConfigSource, type Diagnostic } from './runtime/loading/source.js';
export type { Log } from './runtime/log.js';
export type { DirectorStatus, FailoverView, ServiceView, VirtualRouterView } from './runtime/views.js';
