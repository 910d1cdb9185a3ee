import { code, StatusError } from '@cleat/protocol/grpc/status';
import type { Result } from '../control/job.js';
import { typed } from './failure.js';

/**
 * Answers a question about a Dockerfile, which clients ask instead of building it (moby/buildkit `frontend/subrequests`).
 * @throws StatusError for a question that nobody answers here
 */
export function answerQuestion(question: string, dockerfile: string): Result {
  if (question === 'frontend.targets') return targets(dockerfile);
  if (question === 'frontend.subrequests.describe') {
    const known = [
      {
        name: 'frontend.targets',
        version: '1.0.0',
        type: 'rpc',
        description: 'List all targets current build supports',
      },
    ];
    return answer(known, known.map(({ name, description }) => `${name}: ${description}\n`).join(''));
  }
  const message = `unsupported request ${question}: this engine answers frontend.targets; ask a builder of its own for it (docker buildx create)`;
  throw new StatusError(code.unimplemented, message, [typed('errdefs.Subrequest', { name: question })]);
}

function targets(dockerfile: string): Result {
  const lines = dockerfile.replace(/[\\`]\r?\n/g, ' ').split(/\r?\n/);
  const found = lines.flatMap((line, index) => {
    const [, base, name = ''] = /^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/i.exec(line) ?? [];
    if (base === undefined) return [];
    const [, described] = /^#\s*(\S.*)$/.exec(lines[index - 1] ?? '') ?? [];
    const prefix = `${name} `.toLowerCase();
    const description = described?.toLowerCase().startsWith(prefix) ? described.slice(prefix.length).trim() : undefined;
    return [{ name: name.toLowerCase() || undefined, description, base }];
  });
  const list = found.map((target, index) => ({ ...target, default: index === found.length - 1 || undefined }));
  const rows = list.map(({ name = '', description = '', default: isDefault }) => [
    `${name || '(unnamed)'}${isDefault ? ' (default)' : ''}`,
    description,
  ]);
  const width = Math.max(6, ...rows.map(([name = '']) => name.length)) + 4;
  const text = [['TARGET', 'DESCRIPTION'], ...rows].map(([name = '', description = '']) =>
    `${name.padEnd(width)}${description}`.trimEnd(),
  );
  return answer({ targets: list }, `${text.join('\n')}\n`);
}

function answer(value: unknown, text: string): Result {
  const entries: [string, Uint8Array][] = [
    ['result.json', Buffer.from(JSON.stringify(value, undefined, '  '))],
    ['result.txt', Buffer.from(text)],
    ['version', Buffer.from('1.0.0')],
  ];
  return { metadata: new Map(entries) };
}
