// What `ipvsadm -h` and its companions say here.

/** Scripts look at the number behind the v. */
export function versionText(version: string): string {
  return `ipvsadm v1.31 (director ${version}, in place of IPVS v1.2.1)\n`;
}

export function helpText(version: string): string {
  return `${versionText(version)}Usage:
  ipvsadm -A|-E SERVICE [-s SCHEDULER] [-p [SECONDS]] [-M MASK] [-b FLAG,...] [-o]   add, edit a service
  ipvsadm -D SERVICE                                     delete it; its connections end by themselves
  ipvsadm -a|-e SERVICE -r HOST[:PORT] [-g|-i|-m] [-w WEIGHT] [-x UPPER] [-y LOWER]  add, edit a server
  ipvsadm -d SERVICE -r HOST[:PORT]                      delete it; its connections end by themselves
  ipvsadm -C                                             delete all services
  ipvsadm -S [-n] > FILE                                 write down services and servers
  ipvsadm -R < FILE                                      make the commands of a file, all or none
  ipvsadm [-L|-l] [SERVICE] [-n] [--stats|--rate|--thresholds|--persistent-conn] [--exact] [--nosort]
  ipvsadm -L -c [-n] | --timeout | --daemon              list connections, timeouts, daemons
  ipvsadm -Z [SERVICE]                                   let counters begin anew
  ipvsadm --set TCP TCPFIN UDP                           timeouts in seconds, 0: as it is
SERVICE is -t HOST:PORT (TCP), -u HOST:PORT (UDP) or -f MARK.
Schedulers: rr wrr lc wlc lblc lblcr dh sh mh sed nq fo ovf twos; wlc is the default.
What IPVS has and the director has not is refused with the reason. $UVS_SOCKET names the director's control socket.
`;
}

export const saveHelp = `ipvsadm-save: writes the services and servers to its output, with -n in numbers
`;

export const restoreHelp = `ipvsadm-restore: deletes all services and makes the commands of its input, all or none
`;
