// Takes SIGUSR1 from Node, which would open its debugger on a TCP port: operators send it for a dump of the state, and
// may do so at any time. Loaded before anything else. Node 20 has no option for it.

process.on('SIGUSR1', () => {});
