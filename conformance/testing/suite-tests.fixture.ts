import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { implement } from '@cleat/protocol/extension';
import type { Handlers, Kind } from '@cleat/protocol/kinds/kind';
import { expect, test } from 'vitest';
import { protocolCases } from '../kinds/protocol/cases.js';
import { protocolFlaws } from '../kinds/protocol/flaws.fixture.js';
import type { Suite } from '../verify/suite.js';
import { verify } from '../verify/verify.js';
import { type Flaw, TestPlugin } from './test-plugin.fixture.js';

export interface SuiteTests<K extends Kind, H extends Handlers<K>> {
  readonly suite: Suite & { readonly kind: K };
  /** A plugin that does everything right, on what an earlier one left in the directory. */
  healthy(directory: string): H;
  /** Plugins that are broken in one way each: at least one for every case. What they remember is of that call. */
  flaws(): readonly Flaw<H>[];
  /** Options that the healthy plugin needs, as an author gives them. */
  readonly options?: Readonly<Record<string, string>>;
  /** Things of the plugin that were not removed, in words. */
  left?(directory: string): string[];
  /** After each test: takes away what is left outside of the directory. */
  clear?(directory: string): void;
}

/**
 * The tests of a suite: each case is passed by a good plugin, and found out about one that is broken in just that way.
 */
export function suiteTests<K extends Kind, H extends Handlers<K>>(tests: SuiteTests<K, H>): void {
  const { suite, healthy, options } = tests;
  const cases = [...protocolCases(suite), ...suite.cases];
  const allFlaws = (): Flaw<H>[] => [...protocolFlaws(suite.kind), ...tests.flaws()];
  const flaws = allFlaws();

  const verified = async (directory: string, flaw?: Flaw<H>) => {
    const plugin = new TestPlugin<H>(
      join(directory, 'p.sock'),
      () => healthy(directory),
      (handlers) => implement(suite.kind, handlers),
      flaw,
    );
    const only = flaw ? { deadlineMs: flaw.command ? 10_000 : 1_000, only: [flaw.finds] } : { deadlineMs: 10_000 };
    const start = flaw?.command?.(plugin.socket, directory) ?? plugin;
    return await verify(plugin.socket, { start, ...(options ? { options } : {}), ...only });
  };
  const inDirectory = async (work: (directory: string) => Promise<void>) => {
    const directory = mkdtempSync('/tmp/cleat-verify-');
    try {
      await work(directory);
    } finally {
      tests.clear?.(directory);
      rmSync(directory, { recursive: true });
    }
  };

  test('a plugin that does everything right passes, every case', () =>
    inDirectory(async (directory) => {
      const { results, conformant } = await verified(directory);
      expect(
        results
          .filter(({ outcome }) => outcome !== 'passed')
          .map((one) => [one.case.id, one.finding?.message ?? one.reason]),
      ).toEqual([]);
      expect(results.map((one) => one.case.id).sort()).toEqual(cases.map(({ id }) => id).sort());
      expect(results.flatMap(({ leftBehind }) => leftBehind)).toEqual([]);
      expect(conformant).toBe(true);
      expect(tests.left?.(directory) ?? []).toEqual([]);
    }));

  test('each case is known by a plugin that it fails on', () => {
    expect([...new Set(flaws.map(({ finds }) => finds))].sort()).toEqual(cases.map(({ id }) => id).sort());
  });

  // Each waits most of the time for an answer that does not come: several at once.
  test.concurrent.each(flaws.map(({ finds, about }, at) => ({ finds, about, at })))(
    '$finds fails on a plugin that $about',
    ({ finds, at }) =>
      inDirectory(async (directory) => {
        const { results } = await verified(directory, allFlaws()[at]);
        const [result] = results.filter((one) => one.case.id === finds);
        expect([result?.outcome, result?.reason]).toEqual([
          result?.case.weight === 'should' ? 'warned' : 'failed',
          undefined,
        ]);
        expect(result?.finding?.message).toMatch(/expected .*, but /);
      }),
  );
}
