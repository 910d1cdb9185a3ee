import { describe, expect, test } from 'vitest';
import { readDockerfile } from '../language/dockerfile.js';
import { type BaseFacts, checkAll, checkText, type Scope } from './all.js';
import { checkOptions } from './options.js';
import { addressOf } from './rules.js';

const images: Record<string, { env: string[]; hasShell: boolean }> = {
  busybox: { env: ['PATH=/bin', 'HOME=/root'], hasShell: false },
  shell: { env: [], hasShell: true },
};
const facts: BaseFacts = async (reference) => images[reference];

async function findings(text: string, scope: Partial<Scope> = {}) {
  const dockerfile = readDockerfile(text);
  const given = { contexts: new Set<string>(), ...scope };
  const found = checkText(dockerfile, given);
  await checkAll(dockerfile, given, found, facts);
  return found;
}
const told = async (text: string, scope?: Partial<Scope>) =>
  (await findings(text, scope)).all.map(({ rule, start, text: what }) => `${start} ${rule}: ${what}`);

describe('findings', () => {
  // Texts and lines are those of moby/buildkit `frontend/dockerfile/linter`.
  test.each<[string, string[], Partial<Scope>?]>([
    ['FROM busybox AS Builder', ["1 StageNameCasing: Stage name 'Builder' should be lowercase"]],
    ['FROM busybox as x', ["1 FromAsCasing: 'as' and 'FROM' keywords' casing do not match"]],
    ['from busybox as x', []],
    [
      'From busybox as x\nRUN x',
      ["1 ConsistentInstructionCasing: Command 'From' should match the case of the command majority (uppercase)"],
    ],
    [
      'from busybox\nrun x\nCOPY a b',
      ["3 ConsistentInstructionCasing: Command 'COPY' should match the case of the command majority (lowercase)"],
    ],
    [
      'FROM busybox\nMAINTAINER me',
      ['2 MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label'],
    ],
    [
      'FROM busybox AS a\nFROM busybox AS a',
      ['2 DuplicateStageName: Duplicate stage name "a", stage names should be unique'],
    ],
    [
      'FROM busybox AS scratch',
      ['1 ReservedStageName: Stage name should not use the same name as reserved stage "scratch"'],
    ],
    ['FROM busybox\nRUN a \\\n\n b', ['4 NoEmptyContinuation: Empty continuation line']],
    [
      'FROM busybox\nENV A b\nLABEL c d\nENV e=f',
      [
        '2 LegacyKeyValueFormat: "ENV key=value" should be used instead of legacy "ENV key value" format',
        '3 LegacyKeyValueFormat: "LABEL key=value" should be used instead of legacy "LABEL key value" format',
      ],
    ],
    [
      'FROM busybox\nCMD x',
      [
        '2 JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
      ],
    ],
    ['FROM busybox\nCMD ["x"]', []],
    ['FROM busybox\nSHELL ["x"]\nCMD x', []],
    ['FROM shell\nENTRYPOINT x', []],
    [
      'FROM busybox\nCMD ["a"]\nCMD ["b"]',
      [
        '2 MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only the last one will be used',
      ],
    ],
    [
      'FROM busybox\nWORKDIR a\nWORKDIR b',
      ['2 WorkdirRelativePath: Relative workdir "a" can have unexpected results if the base image changes'],
    ],
    ['FROM busybox\nARG D=/x\nWORKDIR $D', []],
    [
      'FROM busybox\nARG GIT_TOKEN\nENV key=1 PUBLIC_KEY=2 KEYS=3',
      [
        '2 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG "GIT_TOKEN")',
        '3 SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV "key")',
      ],
    ],
    [
      'FROM busybox\nEXPOSE 80/TCP 1.2.3.4:5:6',
      [
        "2 ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '1.2.3.4:5:6'",
        "2 ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase",
      ],
    ],
    [
      'FROM busybox\nCOPY $HOME $HOMF /x',
      ["2 UndefinedVar: Usage of undefined variable '$HOMF' (did you mean $HOME?)"],
    ],
    ['FROM busybox AS a\nARG b\nENV c=1\nFROM a\nCOPY $b $c $PATH /x', []],
    ['FROM unknown\nCOPY $JAVA_HOME /x', []],
    ['ARG V\nFROM busybox\nLABEL v=$V', ["3 UndefinedVar: Usage of undefined variable '$V'"]],
    [
      'ARG VERSION=1\nFROM busybox:${VERSON}1',
      ["2 UndefinedArgInFrom: FROM argument 'VERSON' is not declared (did you mean VERSION?)"],
    ],
    [
      'ARG TAG\nFROM busybox:$TAG',
      ['2 InvalidDefaultArgInFrom: Default value for ARG busybox:$TAG results in empty or invalid base image name'],
      { BuildArgs: { TAG: '1' } },
    ],
    [
      'FROM --platform=$TARGETPLATFORM busybox',
      [
        '1 RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
      ],
    ],
    [
      'FROM --platform=linux/amd64 busybox',
      ['1 FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value "linux/amd64"'],
    ],
    ['FROM --platform=linux/amd64 busybox AS for-amd64', []],
    ['FROM --platform=$BUILDPLATFORM busybox', []],
    [
      'FROM busybox\nCOPY a/b.log c /x\nADD https://x.test/d.log /x',
      ['2 CopyIgnoredFile: Attempting to Copy file "a/b.log" that is excluded by .dockerignore'],
      { Ignore: ['**/*.log'] },
    ],
    ['FROM busybox\nCOPY a.log /x', [], { Ignore: ['*.log', '!a.log'] }],
    ['FROM busybox AS a\nFROM busybox\nCOPY --from=a x.log /', [], { Ignore: ['*.log'] }],
    ['FROM busybox AS a\nCMD x\nFROM scratch AS b\nCOPY f /', [], { Target: 'b' }],
    ['# of the base\nFROM busybox AS base', []],
    [
      '# check=experimental=all\n# of the base\nFROM busybox AS base\n# other\n#\n# x is it\nARG x=1',
      ['3 InvalidDefinitionDescription: Comment for FROM should follow the format: `# base <description>`'],
    ],
  ])('%j', async (text, expected, scope) => {
    expect(await told(text, scope)).toEqual(expected);
  });
});

describe('checks are chosen', () => {
  const text = 'FROM busybox\nCMD x\n# check=skip=JSONArgsRecommended\nENTRYPOINT x\nMAINTAINER y';
  const rules = async (directive: string, scope?: Partial<Scope>) =>
    (await findings(`${directive}${text}`, scope)).all.map(({ rule }) => rule);
  test('by the file, a comment above an instruction, or the client', async () => {
    expect(await rules('')).toEqual(['MaintainerDeprecated', 'JSONArgsRecommended']);
    expect(await rules('# check=skip=MaintainerDeprecated\n')).toEqual(['JSONArgsRecommended']);
    expect(await rules('# check=skip=all\n')).toEqual([]);
    const scope = { BuildArgs: { BUILDKIT_DOCKERFILE_CHECK: 'skip=JSONArgsRecommended' } };
    expect(await rules('# check=skip=all\n', scope)).toEqual(['MaintainerDeprecated']);
  });
  test('findings are errors where the file says so', async () => {
    expect((await findings(`# check=error=true\n${text}`)).failure).toBe(
      'lint violation found for rules: MaintainerDeprecated, JSONArgsRecommended',
    );
    expect((await findings('# check=error=true\nFROM busybox')).failure).toBeUndefined();
    expect((await findings(text)).failure).toBeUndefined();
  });
  test.each([
    ['skip', /invalid check option "skip"/],
    ['what=x', /invalid check option "what"/],
    ['error=perhaps', /failed to parse check option "error=perhaps"/],
  ])('%s is refused', async (options, message) => {
    expect(() => checkOptions(options)).toThrow(message);
    await expect(findings(`# check=${options}\n${text}`)).rejects.toThrow(/failed to parse check options/);
  });
});

test.each([
  ['comments', `${'# x\n'.repeat(200_000)}FROM busybox`],
  ['variables in a word', `FROM busybox\nLABEL a=${'$a'.repeat(200_000).replace(/(.{60000})/g, '$1\\\n')}`],
  ['variables', `FROM busybox\n${'LABEL a=$b$c$d$e$f\n'.repeat(3000)}`],
  ['names', `FROM busybox\n${Array.from({ length: 3000 }, (_, at) => `ENV N${at}=1\nLABEL a=$M${at}\n`).join('')}`],
])('a file of nothing but %s holds nobody up', async (_what, text) => {
  expect((await findings(text)).all.length).toBeLessThanOrEqual(1000);
});

test('rules have their pages', () => {
  expect(addressOf('JSONArgsRecommended')).toMatch(/\/rule\/json-args-recommended\/$/);
  expect(addressOf('SecretsUsedInArgOrEnv')).toMatch(/\/rule\/secrets-used-in-arg-or-env\/$/);
});
