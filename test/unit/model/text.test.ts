// Bytes that are no UTF-8 come out as they went in; the password of an advert is made of them.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeText, encodeText, escapedByteIn } from '../../../src/model/text.js';
import { passwordBytes } from '../../../src/vrrp/advert.js';
import { configOf, parseText, said } from '../../support/parse-config.js';

const latin1 = (text: string) => new Uint8Array(Buffer.from(text, 'latin1'));

test('any bytes come back', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(encodeText(decodeText(bytes))).toEqual(bytes);
    }),
  );
});

test('UTF-8 is what it always is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(decodeText(new TextEncoder().encode(text))).toBe(text);
      expect(escapedByteIn(text)).toBe(-1);
    }),
  );
});

const fileWith = (password: string) => `# sch\u00f6n
vrrp_instance a {
virtual_router_id 51
virtual_ipaddress { 10.0.0.1 }
authentication {
auth_type PASS
auth_pass ${password}
}
}
`;

function passwordOf(bytes: Uint8Array): Uint8Array {
  const { authentication } = configOf(decodeText(bytes)).failover.routers[0]?.router ?? {};
  return authentication?.kind === 'simple' ? passwordBytes(authentication.password) : new Uint8Array();
}

test('a password in ISO 8859-1 has the bytes of the file, and the file is named once', () => {
  const bytes = latin1(fileWith('sch\u00f6n'));
  expect(passwordOf(bytes)).toEqual(latin1('sch\u00f6n\0\0\0'));
  expect(said(parseText(decodeText(bytes)))).toEqual(['7:14 notice not-utf-8']);
});

test('nothing is said of a comment', () => {
  expect(said(parseText(decodeText(latin1(fileWith('plain')))))).toEqual([]);
});

test('the eighth byte ends a password, also inside a character', () => {
  const bytes = new TextEncoder().encode(fileWith('passwor\u00f6'));
  expect(passwordOf(bytes)).toEqual(Uint8Array.from([...latin1('passwor'), 0xc3]));
});
