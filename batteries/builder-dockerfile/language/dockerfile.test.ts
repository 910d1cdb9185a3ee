import { describe, expect, test } from 'vitest';
import { readDockerfile, readTrigger } from './dockerfile.js';
import type { Instruction } from './instruction.js';

/** The instructions below `FROM x`, without what all have. */
function read(text: string) {
  const { stages } = readDockerfile(`FROM x\n${text}`);
  return stages.flatMap(({ instructions }) => instructions.map(bare));
}

function bare({ text: _text, line: _line, ...statement }: Instruction) {
  return statement;
}

const first = (text: string) => read(text)[0];
const refusal = (text: string, prefix = 'FROM x\n') => {
  try {
    readDockerfile(prefix + text);
  } catch (error) {
    return error as Error & { line?: number };
  }
  throw new Error('it was taken');
};

describe('lines', () => {
  test('continuations, comments within them, indentation, and what is no end', () => {
    const file = [
      'FROM x',
      '  RUN a \\',
      '# a comment',
      '   # another',
      '  && b \\  ',
      '',
      '  && c',
      'RUN d \\\\',
      'RUN e\\',
    ].join('\n');
    const { stages, warnings } = readDockerfile(file);
    expect(stages[0]?.instructions.map(({ text, line }) => [line, text])).toEqual([
      [2, 'RUN a   && b   && c'],
      [8, 'RUN d \\\\'],
      [9, 'RUN e'],
    ]);
    expect(warnings).toMatchObject([{ line: 7, text: 'Empty continuation line found in: RUN a   && b   && c' }]);
  });

  test('a byte order mark and DOS line ends are no part of it', () => {
    const { stages } = readDockerfile('\uFEFFFROM x\r\nRUN a \\\r\n b\r\n');
    expect(stages[0]?.instructions[0]?.text).toBe('RUN a  b');
  });

  test.each([
    ['# syntax=docker/dockerfile:1\n# check=skip=all\n# escape=`\nFROM x', 'docker/dockerfile:1', 'skip=all', '`'],
    ['#Escape = `\nFROM x', undefined, undefined, '`'],
    ['# a comment\n# escape=`\nFROM x', undefined, undefined, '\\'],
    ['\n# escape=`\nFROM x', undefined, undefined, '\\'],
    ['# unknown=1\n# escape=`\nFROM x', undefined, undefined, '\\'],
    ['#!/usr/bin/env docker\n# syntax=a\nFROM x', 'a', undefined, '\\'],
  ])('directives of %j', (text, syntax, check, token) => {
    expect(readDockerfile(text).directives).toEqual({
      ...(syntax && { syntax }),
      ...(check && { check }),
      escape: token,
    });
  });

  test('with another escape character, a backslash is a plain one', () => {
    const { stages } = readDockerfile('# escape=`\nFROM x\nRUN dir `\n C:\\\nWORKDIR C:\\a');
    expect(stages[0]?.instructions.map(({ text }) => text)).toEqual(['RUN dir  C:\\', 'WORKDIR C:\\a']);
  });
});

describe('documents', () => {
  const documents = (text: string) => {
    const one = first(text);
    return one?.name === 'RUN' ? one.heredocs : undefined;
  };

  test.each([
    ['RUN <<EOF\na\n  b\nEOF', [{ name: 'EOF', content: 'a\n  b\n', expand: true, chomp: false }]],
    ['RUN <<-EOF\n\ta\n\tEOF', [{ name: 'EOF', content: '\ta\n', expand: true, chomp: true }]],
    ['RUN <<"EOF"\n$a\nEOF', [{ name: 'EOF', content: '$a\n', expand: false, chomp: false }]],
    ["RUN python3 <<'E O'\nx\nE O", [{ name: 'E O', content: 'x\n', expand: false, chomp: false }]],
    [
      'RUN cat <<A 3<<B\n1\nA\n# 2\\\nB',
      [
        { name: 'A', content: '1\n', expand: true, chomp: false },
        { name: 'B', content: '# 2\\\n', expand: true, chomp: false },
      ],
    ],
    ['RUN --mount=type=tmpfs,target=/t <<EOF\nEOF', [{ name: 'EOF', content: '', expand: true, chomp: false }]],
    ['RUN ["echo", "<<EOF"]', []],
    ['RUN echo "<<EOF"', []],
    ['RUN cat <<<EOF', []],
    ['RUN echo $((1 << 2))', []],
  ])('%j', (text, expected) => {
    if (text.includes('1 << 2')) return expect(() => first(text)).toThrow('unterminated heredoc');
    return expect(documents(text)).toEqual(expected);
  });

  test('files of COPY and ADD', () => {
    expect(first('COPY <<a.txt <<-"b.txt" plain /d/\n$x\na.txt\n\t$y\nb.txt')).toMatchObject({
      sources: ['plain'],
      inline: [
        { name: 'a.txt', content: '$x\n', expand: true },
        { name: 'b.txt', content: '$y\n', expand: false },
      ],
      target: '/d/',
    });
  });

  test('a trigger keeps its documents', () => {
    const trigger = 'RUN cat <<EOF\nx\nEOF';
    expect(first(`ONBUILD ${trigger}`)).toEqual({ name: 'ONBUILD', trigger });
    expect(readTrigger(trigger, 7)).toMatchObject({ name: 'RUN', line: 7, heredocs: [{ content: 'x\n' }] });
  });
});

describe('instructions', () => {
  test.each([
    ['ENV a b c', { name: 'ENV', pairs: [{ key: 'a', value: 'b c', legacy: true }] }],
    [
      'ENV a=1 b="2 3" c=4\\ 5 d=\'6 7\'',
      {
        name: 'ENV',
        pairs: [
          { key: 'a', value: '1' },
          { key: 'b', value: '"2 3"' },
          { key: 'c', value: '4\\ 5' },
          { key: 'd', value: "'6 7'" },
        ],
      },
    ],
    ['LABEL "a b"=c', { name: 'LABEL', pairs: [{ key: '"a b"', value: 'c' }] }],
    ['ARG a b=c d=', { name: 'ARG', args: [{ key: 'a' }, { key: 'b', value: 'c' }, { key: 'd', value: '' }] }],
    ['CMD echo "a"  b', { name: 'CMD', command: { text: 'echo "a"  b' } }],
    ['CMD ["a", "b\\n"]', { name: 'CMD', command: { list: ['a', 'b\n'] } }],
    ["CMD ['a']", { name: 'CMD', command: { text: "['a']" } }],
    ['CMD []', { name: 'CMD', command: { list: [] } }],
    ['ENTRYPOINT top -b', { name: 'ENTRYPOINT', command: { text: 'top -b' } }],
    ['SHELL ["/bin/bash", "-c"]', { name: 'SHELL', shell: ['/bin/bash', '-c'] }],
    ['EXPOSE 443 80/udp', { name: 'EXPOSE', ports: ['443', '80/udp'] }],
    ['VOLUME /a /b', { name: 'VOLUME', volumes: ['/a', '/b'] }],
    ['VOLUME ["/a b"]', { name: 'VOLUME', volumes: ['/a b'] }],
    ['USER $u:g', { name: 'USER', value: '$u:g' }],
    ['WORKDIR /a b', { name: 'WORKDIR', value: '/a b' }],
    ['STOPSIGNAL SIGTERM', { name: 'STOPSIGNAL', value: 'SIGTERM' }],
    ['MAINTAINER me <a@b>', { name: 'MAINTAINER', value: 'me <a@b>' }],
    ['onbuild copy . /x', { name: 'ONBUILD', trigger: 'copy . /x' }],
    ['HEALTHCHECK NONE', { name: 'HEALTHCHECK', check: { Test: ['NONE'] } }],
    [
      'HEALTHCHECK --interval=1m30s --timeout=.5s --start-period=0s --start-interval=2s --retries=4 cmd curl -f x',
      {
        name: 'HEALTHCHECK',
        check: { Test: ['CMD-SHELL', 'curl -f x'], Interval: 90e9, Timeout: 5e8, StartInterval: 2e9, Retries: 4 },
      },
    ],
    ['HEALTHCHECK CMD ["a"]', { name: 'HEALTHCHECK', check: { Test: ['CMD', 'a'] } }],
    [
      'COPY --from=0 --chown=1:2 --chmod=u+x --link --parents --exclude=*.md --exclude=b a b c/',
      {
        name: 'COPY',
        from: '0',
        chown: '1:2',
        chmod: 'u+x',
        link: true,
        parents: true,
        exclude: ['*.md', 'b'],
        sources: ['a', 'b'],
        inline: [],
        target: 'c/',
      },
    ],
    [
      'COPY ["a b", "c"]',
      { name: 'COPY', sources: ['a b'], target: 'c', link: false, parents: false, exclude: [], inline: [] },
    ],
    [
      'COPY -- --x y',
      { name: 'COPY', sources: ['--x'], target: 'y', link: false, parents: false, exclude: [], inline: [] },
    ],
    [
      'ADD --checksum=sha256:1 --keep-git-dir=true --unpack=false u /',
      {
        name: 'ADD',
        checksum: 'sha256:1',
        keepGitDir: true,
        unpack: false,
        link: false,
        exclude: [],
        sources: ['u'],
        inline: [],
        target: '/',
      },
    ],
    [
      'RUN --mount=type=cache,target=/c --mount=type=secret,id=s --network=none --security=insecure make "a b"',
      {
        name: 'RUN',
        command: { text: 'make "a b"' },
        heredocs: [],
        mounts: ['type=cache,target=/c', 'type=secret,id=s'],
        network: 'none',
        security: 'insecure',
      },
    ],
  ])('%s', (text, expected) => expect(first(text)).toEqual(expected));

  test('stages, and what stands before them', () => {
    const { globals, stages } = readDockerfile(
      'ARG v=1\nARG a b=2\nFROM --platform=$BUILDPLATFORM x:$v AS Build\nARG v\nfrom scratch as two\nFROM build',
    );
    expect(globals).toEqual([
      { line: 1, text: 'ARG v=1', args: [{ key: 'v', value: '1' }] },
      { line: 2, text: 'ARG a b=2', args: [{ key: 'a' }, { key: 'b', value: '2' }] },
    ]);
    expect(stages).toMatchObject([
      { base: 'x:$v', name: 'build', platform: '$BUILDPLATFORM', line: 3, instructions: [{ name: 'ARG', line: 4 }] },
      { base: 'scratch', name: 'two', line: 5 },
      { base: 'build', line: 6, instructions: [] },
    ]);
  });
});

describe('faults, in Docker’s words', () => {
  test.each([
    ['FOO bar', 'dockerfile parse error on line 2: unknown instruction: FOO'],
    ['RUNN a', 'dockerfile parse error on line 2: unknown instruction: RUNN (did you mean RUN?)'],
    ['copi a b', 'dockerfile parse error on line 2: unknown instruction: copi (did you mean copy?)'],
    ['\n\nENV a', 'dockerfile parse error on line 4: ENV must have two arguments'],
    ['ENV', 'dockerfile parse error on line 2: ENV requires at least one argument'],
    [
      'ENV a=1 b',
      `dockerfile parse error on line 2: Syntax error - can't find = in "b". Must be of the form: name=value`,
    ],
    ['LABEL =x', 'dockerfile parse error on line 2: LABEL names can not be blank'],
    [
      'COPY a',
      'dockerfile parse error on line 2: COPY requires at least two arguments, but only one was provided. Destination could not be determined',
    ],
    ['COPY --frm=a b c', 'dockerfile parse error on line 2: unknown flag: --frm (did you mean from?)'],
    ['COPY --link=maybe b c', 'dockerfile parse error on line 2: expecting boolean value for flag --link, not: maybe'],
    ['COPY --from b c', 'dockerfile parse error on line 2: missing a value on flag: --from'],
    ['COPY --from=a --from=b c d', 'dockerfile parse error on line 2: duplicate flag specified: --from'],
    ['COPY --checksum=x b c', 'dockerfile parse error on line 2: unknown flag: --checksum'],
    ['COPY a <<E\nE', 'dockerfile parse error on line 2: COPY cannot accept a heredoc as a destination'],
    [
      'RUN --mount=type=bid,target=/x a',
      'dockerfile parse error on line 2: unsupported mount type "bid" (did you mean bind?)',
    ],
    [
      'RUN --mount=type=cache,tagret=/x a',
      `dockerfile parse error on line 2: unexpected key 'tagret' in 'tagret=/x' (did you mean target?)`,
    ],
    ['RUN --mount=target a', `dockerfile parse error on line 2: invalid field 'target' must be a key=value pair`],
    [
      'RUN --mount=type=bind,uid=1,target=/x a',
      'dockerfile parse error on line 2: uid not allowed for "bind" type mounts',
    ],
    [
      'RUN --mount=type=bind,size=1,target=/x a',
      `dockerfile parse error on line 2: unexpected key 'size' for mount type 'bind'`,
    ],
    [
      'RUN --mount=type=cache,sharing=all,target=/x a',
      'dockerfile parse error on line 2: unsupported sharing value "all"',
    ],
    [
      'RUN --mount=type=secret a',
      'dockerfile parse error on line 2: invalid secret mount. one of source, target required',
    ],
    ['RUN --network=bridge a', 'dockerfile parse error on line 2: invalid network mode "bridge"'],
    ['RUN --security=none a', 'dockerfile parse error on line 2: security "none" is not valid'],
    [
      'CMD ["a", 1]',
      'dockerfile parse error on line 2: when using JSON array syntax, arrays must be comprised of strings only',
    ],
    ['CMD --x a', 'dockerfile parse error on line 2: unknown flag: --x'],
    ['SHELL sh -c', 'dockerfile parse error on line 2: SHELL requires the arguments to be in JSON form'],
    ['SHELL []', 'dockerfile parse error on line 2: SHELL requires at least one argument'],
    ['VOLUME [" "]', 'dockerfile parse error on line 2: VOLUME specified can not be an empty string'],
    ['USER', 'dockerfile parse error on line 2: USER requires exactly one argument'],
    ['EXPOSE', 'dockerfile parse error on line 2: EXPOSE requires at least one argument'],
    ['ARG =1', 'dockerfile parse error on line 2: ARG names can not be blank'],
    ['ONBUILD ONBUILD RUN a', "dockerfile parse error on line 2: Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
    ['ONBUILD FROM a', "dockerfile parse error on line 2: FROM isn't allowed as an ONBUILD trigger"],
    ['HEALTHCHECK CMD', 'dockerfile parse error on line 2: Missing command after HEALTHCHECK CMD'],
    ['HEALTHCHECK NONE a', 'dockerfile parse error on line 2: HEALTHCHECK NONE takes no arguments'],
    ['HEALTHCHECK curl', 'dockerfile parse error on line 2: Unknown type "CURL" in HEALTHCHECK (try CMD)'],
    ['HEALTHCHECK --interval=5 CMD a', 'dockerfile parse error on line 2: time: missing unit in duration "5"'],
    ['HEALTHCHECK --retries=-1 CMD a', 'dockerfile parse error on line 2: --retries cannot be negative (-1)'],
    ['FROM a b', 'dockerfile parse error on line 2: FROM requires either one or three arguments'],
    [
      'FROM a AS 1x',
      `dockerfile parse error on line 2: invalid name for build stage: "1x", name can't start with a number or contain symbols`,
    ],
    ['RUN <<EOF\na', 'unterminated heredoc'],
  ])('%j', (text, message) => {
    const error = refusal(text);
    expect(error.message.startsWith(message), error.message).toBe(true);
    expect(error.line).toBe(text.startsWith('\n') ? 4 : 2);
  });

  test.each([
    ['', 'the Dockerfile cannot be empty'],
    ['# only a comment\n', 'file with no instructions'],
    ['ARG a=1\n', 'dockerfile contains no stages to build'],
    ['RUN a\nFROM x', 'no build stage in current context'],
    ['# escape=x\nFROM x', "invalid escape token 'x' does not match ` or \\"],
    ['# escape=`\n# escape=`\nFROM x', 'only one escape parser directive can be used'],
    [`FROM x\nRUN ${'a'.repeat(70_000)}`, 'dockerfile line greater than max allowed size of 65535'],
  ])('%j', (text, message) => expect(refusal(text, '').message).toBe(message));
});
