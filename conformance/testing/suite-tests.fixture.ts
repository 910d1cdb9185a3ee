import { mkdtempSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { protocolCases } from '../kinds/protocol/cases.js';
import type { Suite } from '../verify/suite.js';
import { type Verdict, verify } from '../verify/verify.js';
import type { Flaw, TestPlugin } from './test-plugin.fixture.js';

interface Shown<H> {
  /** A healthy plugin that keeps what it has in a directory, or one with a flaw. */
  plugin: (directory: string, flaw?: Flaw<H>) => TestPlugin<H>;
  /** At least one for every case of the suite; those of the protocol's own cases may be among them. */
  flaws: readonly Flaw<H>[];
  /** Options that the healthy plugin needs, as an author gives them. */
  options?: Record<string, string>;
  /** Before each test: flaws remember. */
  forget?: () => void;
  /** What the healthy plugin still has, when all is over. @throws when that is anything */
  empty?: (directory: string) => void;
}

/** Shows of a suite that a good plugin passes every case, and that each case is known by a plugin that it fails on. */
export function suiteTests<H>(suite: Suite, { plugin, flaws, options, forget, empty }: Shown<H>): void {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync('/tmp/cleat-verify-');
    forget?.();
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const verified = (one: TestPlugin<H>, deadlineMs: number, only?: string): Promise<Verdict> =>
    verify(one.socket, { start: one, deadlineMs, ...(options ? { options } : {}), ...(only ? { only: [only] } : {}) });
  const ofProtocol = protocolCases(suite);
  const isShown = (id: string) =>
    !id.startsWith('protocol/') || flaws.some(({ finds }) => finds.startsWith('protocol/'));
  const ids = [...ofProtocol, ...suite.cases].map(({ id }) => id).sort();

  test('a plugin that does everything right passes, every case', async () => {
    const { results, conformant } = await verified(plugin(directory), 10_000);
    expect(
      results
        .filter(({ outcome }) => outcome !== 'passed')
        .map((one) => [one.case.id, one.finding?.message ?? one.reason]),
    ).toEqual([]);
    expect(results.map((one) => one.case.id).sort()).toEqual(ids);
    expect(results.flatMap(({ leftBehind }) => leftBehind)).toEqual([]);
    expect(conformant).toBe(true);
    empty?.(directory);
  });

  test('each case is known by a plugin that it fails on', () => {
    expect([...new Set(flaws.map(({ finds }) => finds))].sort()).toEqual(ids.filter(isShown));
  });

  test.each(flaws)('$finds fails on a plugin that $about', async (flaw) => {
    const { results } = await verified(plugin(directory, flaw), 1_000, flaw.finds);
    const [result] = results.filter((one) => one.case.id === flaw.finds);
    expect([result?.outcome, result?.reason]).toEqual([
      result?.case.weight === 'should' ? 'warned' : 'failed',
      undefined,
    ]);
    expect(result?.finding?.message).toMatch(/expected .*, but /);
  });
}
