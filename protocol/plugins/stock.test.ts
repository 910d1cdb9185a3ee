import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { PluginManifest, PluginPrivilege, PluginSettings } from '../api/plugin.js';
import { readManifest } from './manifest.js';
import { privilegesOf } from './privileges.js';
import { applySettings, defaultSettings } from './settings.js';

/**
 * The answers of a stock dockerd 26.1: one line for each manifest that it was given (`plugin create`), with its `inspect` and,
 * by way of a registry, its `privileges`; and one for each `plugin set`.
 */
interface Recorded {
  case: string;
  manifest: string;
  status: number;
  message?: string;
  Config?: PluginManifest;
  Settings?: PluginSettings;
  privileges?: PluginPrivilege[] | null;
  args?: string[];
}

const recorded = readFileSync(new URL('stock-plugins.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);
const manifests = recorded.filter(({ args }) => args === undefined);
const sets = recorded.flatMap((one) => (one.args === undefined ? [] : [{ ...one, args: one.args }]));

/** Accepted there and refused here: a path that leads out, or that is not one; two members that are one to Go. */
const unsafe: Record<string, RegExp> = {
  'socket that leads up': /^invalid plugin manifest: Interface\.Socket: must be a file name/,
  'propagated mount that leads up': /^invalid plugin manifest: PropagatedMount: must not contain "\.\."/,
  'null entries': /Mounts\[0\]\.Destination: must be an absolute path/,
  'same key twice': /entrypoint: is given twice/,
};

test('there is a record', () => {
  expect(manifests.length).toBeGreaterThan(30);
  expect(sets.length).toBeGreaterThan(25);
});

describe('a manifest that others published', () => {
  test.each(manifests)('$case: accepted or refused as by a stock engine', (stock) => {
    const problem = unsafe[stock.case];
    if (problem) expect(() => readManifest(stock.manifest, 'lenient')).toThrow(problem);
    else if (stock.status === 204) expect(readManifest(stock.manifest, 'lenient')).toBeDefined();
    else expect(() => readManifest(stock.manifest, 'lenient')).toThrow(/^invalid plugin manifest: /);
  });

  test.each(manifests.filter((one) => one.status === 204 && !unsafe[one.case]))(
    '$case: configuration, settings and privileges are those of a stock engine',
    (stock) => {
      const manifest = readManifest(stock.manifest, 'lenient');
      // That version took types that lack a part apart in a wrong way.
      const types = stock.case === 'types of all forms' ? { Interface: expect.anything() } : {};
      expect(manifest).toEqual({ ...stock.Config, ...types });
      expect(defaultSettings(manifest)).toEqual(stock.Settings);
      expect(privilegesOf(manifest)).toEqual(stock.privileges ?? []);
    },
  );
});

describe('plugin set', () => {
  test.each(sets)('$args', ({ args, manifest: text, status, message, Settings }) => {
    const manifest = readManifest(text, 'lenient');
    const set = () => applySettings(manifest, defaultSettings(manifest), args);
    // Newer engines begin no message with a capital.
    if (status === 204) expect(set()).toEqual(Settings);
    else expect(set).toThrow(new RegExp(`^${literal(message?.replace(/^Plugin/, 'plugin') ?? '')}$`));
  });
});

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
