import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import {
  commandPath,
  findCommand,
  hasFileSystem,
  hostFacts,
  missingCapabilities,
  namespaceSupport,
  parseOsRelease,
  sysctl,
} from './host.js';

test('facts agree with what the host itself says', () => {
  const facts = hostFacts();
  expect(`${facts.kernelVersion} ${facts.architecture} ${facts.hostname}`).toBe(
    execFileSync('uname', ['-rmn'])
      .toString()
      .trim()
      .split(' ')
      .toSpliced(0, 1)
      .concat(execFileSync('hostname').toString().trim())
      .join(' '),
  );
  expect(facts.cpus).toBe(Number(execFileSync('nproc').toString()));
  expect(parseOsRelease('NAME="A \\"b\\""\nVERSION_ID=12\n# x\n')).toEqual({ NAME: 'A "b"', VERSION_ID: '12' });
});

test('probes', () => {
  expect(namespaceSupport()).toMatchObject({ mnt: true, net: true });
  // Tests run as root; a container of a CI system may lack CAP_SYS_RESOURCE and the like.
  expect(missingCapabilities()).not.toContain('CAP_SYS_ADMIN');
  expect(hasFileSystem('proc')).toBe(true);
  expect(hasFileSystem('no-such-fs')).toBe(false);
  expect(sysctl('kernel.ostype')).toBe('Linux');
  expect(sysctl('kernel.cleat')).toBe(undefined);
  expect(findCommand('sh')).toMatch(/\/sh$/);
  expect(findCommand('cleat-no-such')).toBe(undefined);
});

test('a command is looked for anew when PATH is another', () => {
  const before = commandPath('sh');
  const other = mkdtempSync('/tmp/cleat-path-');
  try {
    writeFileSync(`${other}/sh`, '', { mode: 0o755 });
    vi.stubEnv('PATH', other);
    expect(commandPath('sh')).toBe(`${other}/sh`);
  } finally {
    vi.unstubAllEnvs();
    rmSync(other, { recursive: true });
  }
  expect(commandPath('sh')).toBe(before);
});
