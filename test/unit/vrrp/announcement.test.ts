// The bytes that neighbours get to see: gratuitous ARP, unsolicited neighbour advertisements, probes and their answers.
import { describe, expect, test } from 'vitest';
import { familyOf, type IpAddress } from '../../../src/model/address.js';
import { addressProbe } from '../../../src/vrrp/address-probe.js';
import { announcement } from '../../../src/vrrp/announcement.js';
import { internetChecksum, pseudoHeader } from '../../../src/vrrp/checksum.js';
import { allNodes, arpRequest, macBytes, readHolder, solicitedNode } from '../../../src/vrrp/frames.js';
import { ip } from './fixtures.js';

const mac = '02:00:00:00:00:01';
const other = '02:00:00:00:00:02';
const hex = (frame: Uint8Array) => Buffer.from(frame).toString('hex');

/** 0 when the checksum of an ICMPv6 frame is right. */
function icmpChecksum(frame: Uint8Array, source: IpAddress, destination: IpAddress): number {
  const body = frame.slice(54);
  return internetChecksum(...pseudoHeader(source, destination, body.length, 58), body);
}

test('IPv4: a broadcast ARP request whose sender and target are the address', () => {
  expect(hex(announcement(ip('10.0.0.100'), mac))).toBe(
    [
      'ffffffffffff',
      '020000000001',
      '0806',
      '0001080006040001',
      '020000000001',
      '0a000064',
      '000000000000',
      '0a000064',
    ].join(''),
  );
});

describe('IPv6: an unsolicited neighbour advertisement', () => {
  const address = ip('fd00::100');

  test.each([
    ['a host', false, '20'],
    ['a router', true, 'a0'],
  ])('of %s', (_, isRouter, flags) => {
    const frame = announcement(address, mac, isRouter);
    const text = hex(frame);
    expect(text.slice(0, 28)).toBe('333300000001' + '020000000001' + '86dd');
    expect(text.slice(28, 44)).toBe('60000000' + '0020' + '3a' + 'ff');
    expect(text.slice(44, 76)).toBe('fd000000000000000000000000000100');
    expect(text.slice(76, 108)).toBe('ff020000000000000000000000000001');
    expect(text.slice(108, 112)).toBe('8800');
    expect(text.slice(116, 124)).toBe(`${flags}000000`);
    expect(text.slice(124, 156)).toBe('fd000000000000000000000000000100');
    expect(text.slice(156)).toBe('0201' + '020000000001');
    expect(icmpChecksum(frame, address, allNodes)).toBe(0);
  });
});

describe('a probe teaches nobody anything', () => {
  test('IPv4: the sender is 0.0.0.0', () => {
    const text = hex(addressProbe(ip('10.0.0.100'), mac));
    expect(text.slice(56, 64)).toBe('00000000');
    expect(text.slice(76)).toBe('0a000064');
    expect(readHolder(addressProbe(ip('10.0.0.100'), mac))?.address).toBe('0.0.0.0');
  });

  test('IPv6: it comes from :: and goes to the solicited-node group, without a link-layer address', () => {
    const frame = addressProbe(ip('fd00::12:3456'), mac);
    expect(hex(frame).slice(0, 12)).toBe('3333ff123456');
    expect(hex(frame).slice(44, 76)).toBe('0'.repeat(32));
    expect(frame.length).toBe(14 + 40 + 24);
    expect(solicitedNode(ip('fd00::12:3456'))).toBe('ff02::1:ff12:3456');
    expect(icmpChecksum(frame, ip('::'), ip('ff02::1:ff12:3456'))).toBe(0);
    expect(readHolder(frame)).toBeUndefined();
  });

  test('IPv6 with a link-local address of its own: it comes from there, so that the answer goes to the asker alone', () => {
    const frame = addressProbe(ip('fd00::12:3456'), mac, ip('fe80::1'));
    expect(hex(frame).slice(44, 76)).toBe('fe800000000000000000000000000001');
    expect(hex(frame).slice(156)).toBe('0101' + '020000000001');
    expect(icmpChecksum(frame, ip('fe80::1'), ip('ff02::1:ff12:3456'))).toBe(0);
    expect(readHolder(frame)).toBeUndefined();
  });
});

describe('an answer names the holder', () => {
  test.each(['10.0.0.100', 'fd00::100'])('%s', (text) => {
    const address = ip(text);
    expect(readHolder(announcement(address, other))).toEqual({ address, mac: other });
  });

  test('an ARP reply', () => {
    const reply = arpRequest(other, ip('10.0.0.100'), ip('0.0.0.0'));
    reply[21] = 2;
    expect(readHolder(reply)).toEqual({ address: '10.0.0.100', mac: other });
  });

  test('a neighbour advertisement without option: the frame says who', () => {
    const frame = announcement(ip('fd00::100'), other).slice(0, 78);
    expect(readHolder(frame)).toEqual({ address: 'fd00::100', mac: other });
  });

  test('one that came through a router is not believed', () => {
    const frame = announcement(ip('fd00::100'), other);
    frame[21] = 254;
    expect(readHolder(frame)).toBeUndefined();
  });

  test.each(['10.0.0.100', 'fd00::100'])('%s: a cut frame names nobody and breaks nothing', (text) => {
    const whole = announcement(ip(text), other);
    const least = familyOf(ip(text)) === 4 ? 42 : 78;
    for (let length = 0; length < least; length++) {
      expect(readHolder(whole.slice(0, length)), `${length}`).toBeUndefined();
    }
  });

  test('ARP for another protocol names nobody', () => {
    const frame = announcement(ip('10.0.0.100'), other);
    frame[16] = 9;
    expect(readHolder(frame)).toBeUndefined();
  });
});

test('what is no MAC address is refused', () => {
  expect(() => macBytes('')).toThrow('not a MAC address');
  expect(macBytes('00:00:5e:00:01:33')).toEqual(Uint8Array.from([0, 0, 0x5e, 0, 1, 0x33]));
});
