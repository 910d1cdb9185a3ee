import { expect, test } from 'vitest';
import { applyChanges } from './index.js';

test('instructions of a Dockerfile change a configuration', () => {
  const before = { Env: ['A=0', 'K=k'] };
  const after = applyChanges(before, [
    'CMD ["run", "it"]',
    'entrypoint exec me',
    'ENV A=1 B="two words" C=it\\ is',
    'ENV OLD form of it',
    'LABEL a.b="c" d=e',
    'EXPOSE 80 53/udp 8000-8001',
    'VOLUME ["/a b", "/c"]',
    'VOLUME /d /e',
    'USER me\nWORKDIR /x',
    'WORKDIR y',
    'STOPSIGNAL SIGINT',
    'HEALTHCHECK --interval=1m --retries=3 CMD curl -f http://x',
    'ONBUILD RUN x',
  ]);
  expect(after).toEqual({
    Env: ['A=1', 'K=k', 'B=two words', 'C=it is', 'OLD=form of it'],
    Cmd: ['run', 'it'],
    Entrypoint: ['/bin/sh', '-c', 'exec me'],
    Labels: { 'a.b': 'c', d: 'e' },
    ExposedPorts: { '80/tcp': {}, '53/udp': {}, '8000/tcp': {}, '8001/tcp': {} },
    Volumes: { '/a b': {}, '/c': {}, '/d': {}, '/e': {} },
    User: 'me',
    WorkingDir: '/x/y',
    StopSignal: 'SIGINT',
    Healthcheck: { Test: ['CMD-SHELL', 'curl -f http://x'], Interval: 60e9, Retries: 3 },
    OnBuild: ['RUN x'],
  });
  expect(before).toEqual({ Env: ['A=0', 'K=k'] });
});

/** Measured on a stock engine: what `docker import -c … -c …` makes of these. */
const measured: [changes: string[], config: object][] = [
  [['ENV A=1', 'ENV A="x y" C=$A'], { Env: ['A=x y', 'C=1'] }],
  [['ENV PATH=/x:$PATH'], { Env: ['PATH=/x:'] }],
  [['ENV A=1', 'ENV B=\\$A'], { Env: ['A=1', 'B=$A'] }],
  [['ENV B=${A:-d}'], { Env: ['B=d'] }],
  [['ENV A=1', 'ENV B=${A:+x}C'], { Env: ['A=1', 'B=xC'] }],
  [['ENV A=1 B=2', 'ENV A=3'], { Env: ['A=3', 'B=2'] }],
  [['ENV a b  c "d"'], { Env: ['a=b  c d'] }],
  [['ENV A=\'$B\' C="$A"'], { Env: ['A=$B', 'C='] }],
  [['ENV A=a\\ b'], { Env: ['A=a b'] }],
  [['ENV A="a\\"b"'], { Env: ['A=a"b'] }],
  [
    ['ENV X=foobar', 'ENV A=${X#foo} B=${X%bar} C=${X##*o} D=${X%%o*} E=${X/o/0} F=${X//o/0}'],
    { Env: ['X=foobar', 'A=bar', 'B=foo', 'C=bar', 'D=f', 'E=f0obar', 'F=f00bar'] },
  ],
  [['ENV X=', 'ENV A=${X:-d} B=${X-d} C=${X:+e} D=${X+e}'], { Env: ['X=', 'A=d', 'B=', 'C=', 'D=e'] }],
  [['ENV A=${B:-${C:-z}}'], { Env: ['A=z'] }],
  [['ENV A=1', 'ENV ${A}x=2'], { Env: ['A=1', '1x=2'] }],
  [['ENV A=1', 'USER u$A:g'], { Env: ['A=1'], User: 'u1:g' }],
  [['USER a b'], { User: 'a b' }],
  [['ENV D=/x', 'WORKDIR $D/y'], { Env: ['D=/x'], WorkingDir: '/x/y' }],
  [['WORKDIR a', 'WORKDIR b/../c'], { WorkingDir: '/a/c' }],
  [['ENV P="80 443"', 'EXPOSE $P 90/udp'], { ExposedPorts: { '80/tcp': {}, '443/tcp': {}, '90/udp': {} } }],
  [['EXPOSE 1.2.3.4:10:20 80/TCP'], { ExposedPorts: { '20/tcp': {}, '80/tcp': {} } }],
  [['ENV V=/v', 'VOLUME $V /w'], { Volumes: { '/v': {}, '/w': {} } }],
  [['ENV L=v', 'LABEL a=$L "b c"="d e"'], { Labels: { a: 'v', 'b c': 'd e' } }],
  [['ENV S=SIGINT', 'STOPSIGNAL $S'], { StopSignal: 'SIGINT' }],
  [['ENV A=1', 'CMD echo $A'], { Cmd: ['/bin/sh', '-c', 'echo $A'] }],
  [['CMD ["a", "$A"]'], { Cmd: ['a', '$A'] }],
  [['CMD'], { Cmd: ['/bin/sh', '-c'] }],
  [['CMD []'], { Cmd: [] }],
  [['CMD [a'], { Cmd: ['/bin/sh', '-c', '[a'] }],
  [['CMD x', 'ENTRYPOINT ["e"]'], { Cmd: ['/bin/sh', '-c', 'x'], Entrypoint: ['e'] }],
  [['HEALTHCHECK CMD x $A'], { Healthcheck: { Test: ['CMD-SHELL', 'x $A'] } }],
  [['HEALTHCHECK NONE'], { Healthcheck: { Test: ['NONE'] } }],
  [['ONBUILD RUN x $A'], { OnBuild: ['RUN x $A'] }],
  [['ONBUILD RUN <<EOF\necho\nEOF'], { OnBuild: ['RUN <<EOF\necho\nEOF'] }],
  [['ENV A=1 \\\n# c\n B=2'], { Env: ['A=1', 'B=2'] }],
  [['ENV A="a # b"'], { Env: ['A=a # b'] }],
];

test.each(measured)('%j', (changes, config) => {
  expect(applyChanges({}, changes)).toMatchObject(config);
});

test('a new entry point resets the command, unless that is given too', () => {
  const before = { Cmd: ['c'], Entrypoint: ['e'] };
  expect(applyChanges(before, ['ENTRYPOINT ["f"]'])).toMatchObject({ Cmd: null, Entrypoint: ['f'] });
  expect(applyChanges(before, ['ENTRYPOINT ["f"]', 'CMD ["d"]'])).toMatchObject({ Cmd: ['d'], Entrypoint: ['f'] });
  expect(applyChanges(before, ['CMD ["d"]', 'ENTRYPOINT ["f"]'])).toMatchObject({ Cmd: ['d'], Entrypoint: ['f'] });
  expect(applyChanges({ Shell: ['zsh'] }, ['CMD x'])).toMatchObject({ Cmd: ['zsh', 'x'] });
});

/** Measured on a stock engine, or taken from moby where that is newer. */
const refused: [change: string, message: string][] = [
  ['RUN x', 'RUN is not a valid change command'],
  ['foo bar', 'foo is not a valid change command'],
  ['', 'file with no instructions'],
  ['# c', 'file with no instructions'],
  ['ENV', 'ENV requires at least one argument'],
  ['ENV a', 'ENV must have two arguments'],
  ['ENV =x', 'ENV names can not be blank'],
  ['ENV a=b c', `Syntax error - can't find = in "c". Must be of the form: name=value`],
  ['ENV A="open', 'failed to process "\\"open": unexpected end of statement while looking for matching double-quote'],
  ["ENV A='open", `failed to process "'open": unexpected end of statement while looking for matching single-quote`],
  ['ENV A=${', `failed to process "\${": syntax error: missing '}'`],
  ['ENV A=${:x}', 'failed to process "${:x}": syntax error: bad substitution'],
  ['ENV A=${B:?no}', 'failed to process "${B:?no}": B: no'],
  ['ENV A=${B=c}', 'failed to process "${B=c}": unsupported modifier (=) in substitution'],
  ['LABEL a', 'LABEL must have two arguments'],
  ['USER', 'USER requires exactly one argument'],
  ['USER --x u', 'unknown flag: --x'],
  ['WORKDIR', 'WORKDIR requires exactly one argument'],
  ['WORKDIR $NOPE', 'cannot normalize nothing'],
  ['EXPOSE', 'EXPOSE requires at least one argument'],
  ['EXPOSE 99999', 'invalid containerPort: 99999'],
  ['EXPOSE 80/foo', 'invalid proto: foo'],
  ['EXPOSE /x', 'no port specified: /x<empty>'],
  ['VOLUME', 'VOLUME requires at least one argument'],
  ['VOLUME [""]', 'VOLUME specified can not be an empty string'],
  ['VOLUME ["/a", 1]', 'when using JSON array syntax, arrays must be comprised of strings only'],
  [
    'VOLUME /etc:/mnt',
    "invalid volume specification: '/etc:/mnt': a volume of a configuration is one path in the container, without : in it",
  ],
  ['STOPSIGNAL FOO', 'invalid signal: FOO'],
  ['CMD ["a", 1]', 'when using JSON array syntax, arrays must be comprised of strings only'],
  ['HEALTHCHECK', 'HEALTHCHECK requires at least one argument'],
  ['HEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD'],
  ['HEALTHCHECK FOO', 'Unknown type "FOO" in HEALTHCHECK (try CMD)'],
  ['HEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments'],
  ['HEALTHCHECK --interval=5 CMD x', 'time: missing unit in duration "5"'],
  ['HEALTHCHECK --interval=1us CMD x', 'Interval "interval" cannot be less than 1ms'],
  ['HEALTHCHECK --retries=-1 CMD x', '--retries cannot be negative (-1)'],
  ['HEALTHCHECK --retries=x CMD x', 'strconv.ParseInt: parsing "x": invalid syntax'],
  ['ONBUILD', 'ONBUILD requires at least one argument'],
  ['ONBUILD ONBUILD RUN x', "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed"],
  ['ONBUILD FROM x', "FROM isn't allowed as an ONBUILD trigger"],
  ['ONBUILD ENV x', 'ENV must have two arguments'],
  ['ONBUILD RUN <<EOF\necho', 'unterminated heredoc'],
  ['# escape=`\nENV A=1', 'the parser directive escape=` is not supported in changes'],
];

test.each(refused)('%j is refused', (change, message) => {
  expect(() => applyChanges({}, [change])).toThrow(expect.objectContaining({ class: 'InvalidParameter', message }));
});

test('a pattern that would take for ever is refused', () => {
  const before = { Env: [`X=${'a'.repeat(20_000)}`] };
  expect(applyChanges(before, ['ENV Y=${X##*a*a*a*a*a*a*a*a*b}']).Env?.[1]).toBe(`Y=${'a'.repeat(20_000)}`);
  expect(() => applyChanges(before, ['ENV Y=${X//*a*a*a*b/c}'])).toThrow('the pattern in a substitution is too long');
});
