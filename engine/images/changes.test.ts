import { expect, test } from 'vitest';
import { applyChanges } from './changes.js';

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
    Env: ['K=k', 'A=1', 'B=two words', 'C=it is', 'OLD=form of it'],
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

test.each(['RUN x', 'FROM y', 'ENV', 'EXPOSE 99999', 'LABEL =x y=z'])('%s is refused', (change) => {
  expect(() => applyChanges({}, [change])).toThrow(expect.objectContaining({ class: 'InvalidParameter' }));
});
