import { Finding, type Said } from '../verify/finding.js';
import type { Result } from '../verify/perform.js';
import type { Verdict } from '../verify/verify.js';

/** Texts of a plugin that harm a program that prints them: an escape sequence, the ends of other formats, and half a character. */
export const hostile = '\u001b[2Jgone ]]> "quoted" <b>&amp; # TODO not this \u0000\u202e \ud800\nnot ok 99 - forged';

const said: Said = {
  call: 'VolumeDriver.Create',
  request: { Name: hostile },
  status: 500,
  text: hostile,
  contentType: 'application/json',
  failure: '',
  ms: 3,
};

const facts = { kind: 'VolumeDriver', calls: [said], ms: 1_234, leftBehind: [] };
const one = (id: string) => ({ id: `volume/${id}`, title: `A title of ${id}`, why: 'Somebody would be hurt.' });

/** One of each outcome. */
export const results: readonly Result[] = [
  { ...facts, case: one('passed'), outcome: 'passed' },
  {
    ...facts,
    case: one('failed'),
    outcome: 'failed',
    finding: new Finding('something better', said),
    leftBehind: [hostile],
  },
  { ...facts, case: one('found'), outcome: 'failed', finding: new Finding('something better', said, hostile) },
  { ...facts, case: { ...one('warned'), weight: 'should' }, outcome: 'warned', finding: new Finding('advice', said) },
  { ...facts, case: one('skipped'), outcome: 'skipped', reason: 'nobody said how # to start it' },
  { ...facts, kind: 'authz', case: one('broken'), outcome: 'broken', reason: hostile },
];

export const verdict: Verdict = {
  plugin: hostile,
  origin: '/run/plugin.sock',
  kinds: ['VolumeDriver', 'authz', 'Strange\u001b[31m'],
  unknownKinds: ['Strange\u001b[31m'],
  results,
  conformant: false,
  ms: 12_345,
};
