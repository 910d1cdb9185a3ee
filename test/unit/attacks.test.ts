import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/**
 * Attacks on archives, images, registries and builds that have worked on other engines, and for each the tests that show
 * that it fails here, by file and title. An attack that is added here needs a test; a test that goes, another.
 */
const attacks: Readonly<Record<string, readonly (readonly [file: string, title: string])[]>> = {
  'cp races a symlink (CVE-2018-15664, CVE-2026-42306, CVE-2026-41568)': [
    ['linux/helper/archives.test.ts', 'a symlink that is swapped in all the time leads neither out nor in'],
    ['test/e2e/paths.test.ts', 'nor do cp, and a mount that lies inside, while a path is swapped'],
  ],
  'cp loads a library of the container (CVE-2019-14271)': [
    ['test/e2e/attacks.test.ts', 'runs no program, and loads no library, of the container'],
  ],
  'cp runs a decompressor of the container (CVE-2026-41567)': [
    ['test/e2e/attacks.test.ts', 'runs no program, and loads no library, of the container'],
  ],
  'cp makes directories outside of the root (CVE-2021-41089)': [
    ['linux/helper/helper.test.ts', 'nothing inside a root leads out of it'],
    ['test/e2e/security.test.ts', 'cp through symlinks, absolute and relative, stays inside'],
  ],
  'users of the host look into the data root (CVE-2021-41091)': [
    ['test/e2e/attacks.test.ts', 'files of containers and images are for nobody else on the host'],
  ],
  'a volume swaps a path that is exported (CVE-2023-0778)': [
    ['test/e2e/paths.test.ts', 'a directory that becomes a link to / again and again never shows the host'],
    ['test/e2e/run.test.ts', 'a symlink in a volume does not lead outside'],
  ],
  'an archive unfolds without end (CVE-2017-14992)': [
    ['engine/layers/unpack/unpackers.test.ts', 'damaged and oversized archives are refused'],
    ['test/e2e/full-disk.test.ts', 'an upload leaves some space, is refused in words, and leaves nothing behind'],
  ],
  'an archive that is imported, or copied into a container, leads out of it': [
    ['test/e2e/hostile-images.test.ts', 'the same archives imported, and copied into a container'],
  ],
  'a manifest is malformed (CVE-2021-21285)': [
    ['test/e2e/hostile-images.test.ts', 'documents with anything in any place'],
    ['test/e2e/hostile-images.test.ts', 'documents that are large, deep, doubled or circular'],
  ],
  'content is not what its digest says (CVE-2014-8178, CVE-2014-8179)': [
    ['engine/distribution/registry.test.ts', 'a blob that does not match its digest is refused and leaves nothing'],
    [
      'engine/distribution/registry.test.ts',
      'a manifest that does not match the digest that was asked for is refused and leaves nothing',
    ],
    [
      'engine/images/archive/archive.test.ts',
      'a layer that is not what the configuration says is refused and leaves nothing',
    ],
  ],
  'a layer’s host is given credentials (CVE-2020-15157)': [
    ['engine/distribution/elsewhere.test.ts', 'credentials go to no other host, whatever a registry elsewhere says'],
  ],
  'a registry leads to the metadata of a cloud, or to another token server': [
    [
      'engine/distribution/elsewhere.test.ts',
      'no registry leads to the metadata of a cloud, not even one on this host',
    ],
    [
      'engine/distribution/registry.test.ts',
      'tokens are fetched with the credentials, which go no further than their registry',
    ],
  ],
  'an image’s /etc/passwd is a symlink or a FIFO (CVE-2024-9676)': [
    ['test/e2e/security.test.ts', 'an /etc/passwd that is a FIFO or leads out does not hang or fool the engine'],
  ],
  'a git reference is an option of git (CVE-2019-13139)': [
    ['test/e2e/attacks.test.ts', 'takes the reference %s of a repository for no option of git'],
  ],
  'an image passes for a step that was built (CVE-2024-24557)': [
    ['test/e2e/attacks.test.ts', 'takes no step from an image that somebody made to look like its result'],
  ],
  'a build follows a link of its image, its stage or its cache (CVE-2024-23651, CVE-2024-23652)': [
    ['test/e2e/build-attacks.test.ts', 'get nothing of it, and put nothing there: %s'],
  ],
  'a server that a build names leads to this host': [
    ['test/e2e/build-attacks.test.ts', 'lead to nothing of this host'],
  ],
  'a secret of a build is found afterwards': [
    ['test/e2e/build-attacks.test.ts', 'are on no disk, in no answer and in no log, however a step has them'],
  ],
  'a context unfolds without end': [
    ['test/e2e/full-disk.test.ts', 'an upload leaves some space, is refused in words, and leaves nothing behind'],
    ['test/e2e/build-attacks.test.ts', 'a file with holes, larger than any disk, holds up nobody'],
  ],
  'a mount of RUN shows the host (CVE-2024-9407)': [
    ['test/e2e/attacks.test.ts', 'mounts of RUN and sources of COPY lead to no place of the host'],
  ],
};

const root = fileURLToPath(new URL('../..', import.meta.url));

test.each(Object.entries(attacks))('%s', (_attack, shown) => {
  expect(shown.length).toBeGreaterThan(0);
  for (const [file, title] of shown) {
    expect(existsSync(`${root}${file}`), file).toBe(true);
    // The title of a test that is run, not just words in the file.
    const titled = new RegExp(`\\b(?:test|it)(?:\\.each\\([^;]*?\\))?\\(\\s*(['"\`])${escaped(title)}\\1`);
    expect(readFileSync(`${root}${file}`, 'utf8')).toMatch(titled);
  }
});

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
