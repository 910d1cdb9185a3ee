import { expect, test } from 'vitest';
import { at, builder, busybox, context, docker, dockerfile, image, log, ok, post, step, tarOf } from './bench.js';

/** The lines of the classic door. */
export function wordTests(): void {
  test('are those of a stock engine, line by line', async () => {
    const container = 'c'.repeat(64);
    builder.script = async function* () {
      yield step('1', 1, 'FROM busybox');
      yield step('1', 1, 'FROM busybox', { Completed: at, Image: image('1') });
      yield step('2', 2, 'ENV A=1');
      yield step('2', 2, 'ENV A=1', { Completed: at, Cached: true, Image: image('2') });
      yield step('3', 3, 'RUN echo hi; echo err >&2');
      yield step('3', 3, 'RUN echo hi; echo err >&2', { Container: container });
      yield log('3', 2, 'err\n');
      yield log('3', 1, 'hi\n');
      yield step('3', 3, 'RUN echo hi; echo err >&2', { Container: container, Completed: at, Image: image('3') });
      yield step('4', 4, 'COPY a /a');
      yield step('4', 4, 'COPY a /a', { Completed: at, Image: busybox });
      yield { Warning: { Short: 'One or more build-args [ZZ] were not consumed' } };
      yield { Result: { Image: busybox } };
    };
    const { text, status } = await post({ query: 't=lines&t=lines:two', body: await tarOf(dockerfile) });
    const short = busybox.slice(7, 19);
    expect(status).toBe(200);
    expect(
      text
        .split('\r\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as object),
    ).toEqual([
      ...[{ stream: 'Step 1/4 : FROM busybox' }, { stream: '\n' }, { stream: ' ---> 111111111111\n' }],
      ...[{ stream: 'Step 2/4 : ENV A=1' }, { stream: '\n' }, { stream: ' ---> Using cache\n' }],
      ...[{ stream: ' ---> 222222222222\n' }, { stream: 'Step 3/4 : RUN echo hi; echo err >&2' }, { stream: '\n' }],
      ...[{ stream: ' ---> Running in cccccccccccc\n' }, { stream: '\u001b[91merr\n\u001b[0m' }, { stream: 'hi\n' }],
      ...[{ stream: ' ---> Removed intermediate container cccccccccccc\n' }, { stream: ' ---> 333333333333\n' }],
      ...[
        { stream: 'Step 4/4 : COPY a /a' },
        { stream: '\n' },
        { stream: ` ---> ${short}\n` },
        { aux: { ID: busybox } },
      ],
      { stream: '[Warning] One or more build-args [ZZ] were not consumed\n' },
      ...[{ stream: `Successfully built ${short}\n` }, { stream: 'Successfully tagged lines:latest\n' }],
      { stream: 'Successfully tagged lines:two\n' },
    ]);
    await ok('rmi', 'lines', 'lines:two');
  });

  test('tell one step after the other, whichever were at once; each stage has its ID', async () => {
    builder.script = async function* () {
      const [a, b] = [{ Stage: 'a' }, { Stage: 'b' }];
      yield step('1', 1, 'FROM busybox AS a', a);
      yield step('3', 3, 'FROM busybox AS b', b);
      yield step('3', 3, 'FROM busybox AS b', { ...b, Completed: at, Image: image('3') });
      yield step('4', 4, 'RUN b', b);
      yield log('4', 1, 'b says\n');
      yield step('1', 1, 'FROM busybox AS a', { ...a, Completed: at, Image: image('1') });
      yield step('4', 4, 'RUN b', { ...b, Completed: at, Image: image('4') });
      yield step('2', 2, 'RUN a', a);
      yield log('2', 1, 'a says\n');
      yield step('2', 2, 'RUN a', { ...a, Completed: at, Image: image('2') });
      yield { Result: { Image: busybox } };
    };
    const { text } = await post({ body: await tarOf(dockerfile) });
    const said = text.split('\r\n').flatMap((line) => {
      const { stream, aux } = JSON.parse(line || '{}') as { stream?: string; aux?: { ID: string } };
      return aux ? [`ID ${aux.ID.slice(7, 9)}`] : stream?.trim() ? [stream.trim()] : [];
    });
    expect(said.slice(0, -1)).toEqual([
      ...[
        'Step 1/4 : FROM busybox AS a',
        '---> 111111111111',
        'Step 2/4 : RUN a',
        'a says',
        '---> 222222222222',
        'ID 22',
      ],
      ...['Step 3/4 : FROM busybox AS b', '---> 333333333333', 'Step 4/4 : RUN b', 'b says', '---> 444444444444'],
      `ID ${busybox.slice(7, 9)}`,
    ]);
  });

  test('tell a failure with its exit code, and no more', async () => {
    const Message = "The command '/bin/sh -c exit 3' returned a non-zero code: 3";
    builder.script = async function* () {
      yield step('1', 1, 'RUN exit 3');
      yield { Error: { Message, Code: 3, Vertex: '1' } };
    };
    const { text, status } = await post({ body: await tarOf(dockerfile) });
    expect(status).toBe(200);
    expect(text.split('\r\n').at(-2)).toBe(
      JSON.stringify({ errorDetail: { code: 3, message: Message }, error: Message }),
    );
    expect(await docker('build', context)).toMatchObject({ code: 3, stderr: expect.stringContaining(Message) });
    // Quiet, what was said before comes with the failure.
    const quiet = await post({ query: 'q=1', body: await tarOf(dockerfile) });
    expect(quiet.text).toContain('"Step 1/4 : RUN exit 3"');
    builder.script = async function* () {
      yield { Error: { Message: 'dockerfile parse error on line 2: unknown instruction: FOO', Line: 2 } };
    };
    expect(await post({ body: await tarOf(dockerfile) })).toEqual({
      status: 400,
      text: '{"message":"dockerfile parse error on line 2: unknown instruction: FOO"}\n',
    });
  });

  test('with -q are the ID alone', async () => {
    expect(await docker('build', '-q', context)).toMatchObject({ code: 0, stdout: `${busybox}\n` });
  });
}
