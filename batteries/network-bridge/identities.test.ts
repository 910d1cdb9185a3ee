import { expect, test } from 'vitest';
import { Identities } from './identities.js';
import type { EndpointRecord } from './state.js';

const endpoint = { id: 'e1', hostLink: 'veth1' } as EndpointRecord;
const named = new Map([[endpoint.hostLink, endpoint]]);
const made = { index: 7, name: 'veth1', gone: false };
const gone = { ...made, gone: true };
const looks = 30;

test('an interface is known by its number, whatever it is called', () => {
  const identities = new Identities();
  identities.follow([made, { ...made, name: 'eth9' }, { index: 8, name: 'another', gone: false }], named);
  expect(identities.otherName('e1')).toBe('eth9');
  // Somebody gives its name to another one.
  identities.follow([{ index: 8, name: 'veth1', gone: false }], named);
  expect(identities.otherName('e1')).toBe('eth9');
  identities.follow([made], named);
  expect(identities.otherName('e1')).toBeUndefined();
});

test('an interface that is gone is missed once, unless it comes back or its endpoint goes, too', () => {
  const lost = (identities: Identities, isOnRecord: boolean) =>
    Array.from({ length: looks }, () => identities.takeLost(() => isOnRecord)).flat();
  const identities = new Identities();
  const onlyOther = new Identities();
  onlyOther.follow([{ ...gone, index: 9, name: 'another' }], named);
  expect(lost(onlyOther, true)).toEqual([]);
  identities.see('e1', made.index);
  identities.follow([gone], named);
  expect(lost(identities, false)).toEqual([]);
  identities.follow([made, gone, { ...made, index: 9 }], named);
  expect(lost(identities, true)).toEqual([]);
  identities.follow([{ ...gone, index: 9 }], named);
  expect(lost(identities, true)).toEqual(['e1']);
  expect(lost(identities, true)).toEqual([]);
});
