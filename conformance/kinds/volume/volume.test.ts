import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import { volumeKind } from '@cleat/protocol/kinds/volume';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Flaw, TestPlugin } from '../../testing/test-plugin.fixture.js';
import { verify } from '../../verify/verify.js';
import { protocolCases } from '../protocol/cases.js';
import { forgetFlaws, protocolFlaws } from '../protocol/flaws.fixture.js';
import { forgetVolumeFlaws, volumeFlaws } from './flaws.fixture.js';
import { HealthyVolumes } from './healthy.fixture.js';
import { volumeSuite } from './suite.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync('/tmp/cleat-verify-');
  forgetFlaws();
  forgetVolumeFlaws();
});
afterEach(() => rmSync(directory, { recursive: true }));

const plugin = (flaw?: Flaw<HealthyVolumes>) =>
  new TestPlugin(
    join(directory, 'p.sock'),
    () => new HealthyVolumes(directory),
    (handlers) => implement(volumeKind, handlers),
    flaw,
  );
const verified = (one: TestPlugin<HealthyVolumes>, only?: string) =>
  verify(one.socket, { start: one, deadlineMs: 1_000, ...(only ? { only: [only] } : {}) });
const cases = [...protocolCases(volumeSuite), ...volumeSuite.cases];
const flaws: Flaw<HealthyVolumes>[] = [...protocolFlaws, ...volumeFlaws];

test('a plugin that does everything right passes, every case', async () => {
  const { results, conformant } = await verified(plugin());
  expect(
    results
      .filter(({ outcome }) => outcome !== 'passed')
      .map((one) => [one.case.id, one.finding?.message ?? one.reason]),
  ).toEqual([]);
  expect(results.map((one) => one.case.id).sort()).toEqual(cases.map(({ id }) => id).sort());
  expect(results.flatMap(({ leftBehind }) => leftBehind)).toEqual([]);
  expect(conformant).toBe(true);
  expect(new HealthyVolumes(directory).state).toEqual({});
});

test('each case is known by a plugin that it fails on', () => {
  expect([...new Set(flaws.map(({ finds }) => finds))].sort()).toEqual(cases.map(({ id }) => id).sort());
});

test.each(flaws)('$finds fails on a plugin that $about', async (flaw) => {
  const { results } = await verified(plugin(flaw), flaw.finds);
  const [result] = results.filter((one) => one.case.id === flaw.finds);
  expect([result?.outcome, result?.reason]).toEqual([
    result?.case.weight === 'should' ? 'warned' : 'failed',
    undefined,
  ]);
  expect(result?.finding?.message).toMatch(/expected .*, but /);
});
