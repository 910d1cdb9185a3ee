import { expect, test } from 'vitest';
import { runtimeError, runtimeErrorText } from './errors.js';

test.each([
  [
    'time="2026-11-22T05:56:46Z" level=error msg="exec: \\"x\\": executable file not found in $PATH"',
    'exec: "x": executable file not found in $PATH',
  ],
  ['{"level":"error","msg":"container does not exist","time":"…"}', 'container does not exist'],
  ['time="…" level=warning msg="cgroup v1"\ntime="…" level=error msg="broken"\n', 'broken'],
  ['broken\n\n', 'broken'],
  // conmon passes on so many bytes, and no more.
  ['time="…" level=error msg="error mounting \\"/tmp\\" to roo', 'error mounting "/tmp" to roo'],
  ['{not json', '{not json'],
  ['', 'the runtime reported nothing'],
])('%s', (output, text) => {
  expect(runtimeErrorText(output)).toBe(text);
});

test.each([
  ['exec: "x": executable file not found in $PATH', 'InvalidParameter', 'command-not-found', 127],
  ['exec: "/x": stat /x: no such file or directory', 'InvalidParameter', 'command-not-found', 127],
  ['exec: "/etc": permission denied', 'InvalidParameter', 'command-not-executable', 126],
  ['exec: "/etc": is a directory', 'InvalidParameter', 'command-not-executable', 126],
  ['container does not exist', 'NotFound', 'no-such-container', undefined],
  ['container not running', 'Conflict', 'not-running', undefined],
  ['something else', 'System', 'other', undefined],
])('%s → %s', (text, errorClass, reason, exitCode) => {
  const error = runtimeError('create', text);
  expect(error).toMatchObject({ class: errorClass, message: `OCI runtime create failed: ${text}: unknown` });
  expect(error.details).toMatchObject({ reason, ...(exitCode ? { exitCode } : {}) });
});
