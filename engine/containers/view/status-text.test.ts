import type { ContainerState } from '@cleat/protocol/api/container';
import { expect, test } from 'vitest';
import { generateName } from '../create/names.js';
import { goFileMode } from '../files/go-file-mode.js';
import { humanDuration, statusText } from './status-text.js';

const state: ContainerState = {
  Status: 'running',
  Running: true,
  Paused: false,
  Restarting: false,
  OOMKilled: false,
  Dead: false,
  Pid: 1,
  ExitCode: 0,
  Error: '',
  StartedAt: '2026-01-01T00:00:00.123456789Z',
  FinishedAt: '0001-01-01T00:00:00Z',
};
const at = (seconds: number): number => Date.parse('2026-01-01T00:00:00.124Z') + seconds * 1000;

test.each([
  [0.4, 'Less than a second'],
  [1, '1 second'],
  [59, '59 seconds'],
  [61, 'About a minute'],
  [300, '5 minutes'],
  [3600, 'About an hour'],
  [3600 * 47, '47 hours'],
  [86400 * 13, '13 days'],
  [86400 * 20, '2 weeks'],
  [86400 * 100, '3 months'],
  [86400 * 365 * 3, '3 years'],
])('%d seconds are “%s”', (seconds, text) => expect(humanDuration(seconds * 1000)).toBe(text));

test('a running, a paused, a healthy, an exited and a created container', () => {
  expect(statusText(state, at(300))).toBe('Up 5 minutes');
  expect(statusText({ ...state, Paused: true }, at(5))).toBe('Up 5 seconds (Paused)');
  const health = { Status: 'healthy', FailingStreak: 0, Log: [] } as const;
  expect(statusText({ ...state, Health: { ...health, Log: [] } }, at(5))).toBe('Up 5 seconds (healthy)');
  const exited = { ...state, Running: false, Status: 'exited', ExitCode: 3, FinishedAt: state.StartedAt } as const;
  expect(statusText(exited, at(7200))).toBe('Exited (3) 2 hours ago');
  const created = { ...exited, Status: 'created', StartedAt: '0001-01-01T00:00:00Z' } as const;
  expect(statusText(created, at(1))).toBe('Created');
});

test('Go file modes of a directory, a link, a setuid file and a character device', () => {
  expect(goFileMode({ type: 'directory', mode: 0o755 })).toBe(2147484141);
  expect(goFileMode({ type: 'symlink', mode: 0o777 })).toBe(134218239);
  expect(goFileMode({ type: 'file', mode: 0o4755 })).toBe(8389101);
  expect(goFileMode({ type: 'character-device', mode: 0o666 })).toBe(69206454);
});

test('a generated name is free, also when many are taken', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 12_000; i++) {
    const name = generateName((candidate) => seen.has(candidate));
    expect(seen.has(name)).toBe(false);
    seen.add(name);
  }
});
