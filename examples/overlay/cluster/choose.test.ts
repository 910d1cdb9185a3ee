import { describe, expect, test } from 'vitest';
import { checkAddress, chooseAddress } from './choose.js';

const pool = '10.9.0.0/29';
const choose = (container: string, taken: string[], kept: [string, string][] = [], range = '') =>
  chooseAddress(pool, range, container, { taken: new Set(taken), kept: new Map(kept) });

describe('choosing an address', () => {
  test('the lowest that nobody has or had', () => {
    expect(choose('web', [])).toBe('10.9.0.1');
    expect(choose('web', ['10.9.0.1', '10.9.0.2'], [['10.9.0.3', 'db']])).toBe('10.9.0.4');
  });

  test('the one that it had, unless somebody has it', () => {
    expect(choose('web', ['10.9.0.1'], [['10.9.0.5', 'web']])).toBe('10.9.0.5');
    expect(choose('web', ['10.9.0.1', '10.9.0.5'], [['10.9.0.5', 'web']])).toBe('10.9.0.2');
    expect(choose('', ['10.9.0.1'], [['10.9.0.5', '']])).toBe('10.9.0.2');
  });

  test('where all were in use, the one that was given back first', () => {
    const kept: [string, string][] = [
      ['10.9.0.4', 'first'],
      ['10.9.0.2', 'second'],
      ['10.9.0.3', 'third'],
    ];
    const taken = ['10.9.0.1', '10.9.0.5', '10.9.0.6'];
    expect(choose('web', taken, kept)).toBe('10.9.0.4');
    expect(choose('web', [...taken, '10.9.0.4'], kept)).toBe('10.9.0.2');
    expect(() => choose('web', [...taken, '10.9.0.4', '10.9.0.2', '10.9.0.3'], kept)).toThrow('no available addresses');
  });

  test('out of the range of this host', () => {
    expect(choose('web', [], [], '10.9.0.4/30')).toBe('10.9.0.4');
    expect(() => choose('web', ['10.9.0.4', '10.9.0.5', '10.9.0.6'], [['10.9.0.2', 'db']], '10.9.0.4/30')).toThrow(
      'no available addresses',
    );
  });

  test('an address that is asked for must be in the pool, and free', () => {
    const taken = new Set(['10.9.0.2']);
    expect(checkAddress(pool, '10.9.0.3', { taken })).toBe('10.9.0.3');
    expect(() => checkAddress(pool, '10.9.0.2', { taken })).toThrow('Address already in use');
    for (const address of ['10.9.0.0', '10.9.0.7', '10.8.0.1', 'fd00::1']) {
      expect(() => checkAddress(pool, address, { taken })).toThrow('out of range');
    }
  });
});
