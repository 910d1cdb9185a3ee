import { systemError, unavailable } from '@cleat/protocol/errors';
import { decode, parseJson } from '@cleat/protocol/json';
import { BuildLine } from '@cleat/protocol/kinds/builder';

/** Bytes of one line of a builder's: a piece of output in base64 is far less. */
const maxLineBytes = 4 * 1024 * 1024;

/** The lines of an answer to `Build`. @throws Unavailable for what is none */
export async function* linesOf(builder: string, stream: AsyncIterable<Uint8Array>): AsyncGenerator<BuildLine> {
  let rest: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      const line = Buffer.concat([...rest, chunk.subarray(from, at)]);
      rest = [];
      size = 0;
      from = at + 1;
      if (line.length > 0) yield lineOf(builder, line);
    }
    if (from === chunk.length) continue;
    rest.push(Buffer.from(chunk.subarray(from)));
    size += chunk.length - from;
    if (size > maxLineBytes) throw unavailable(`builder "${builder}" sent a line of more than ${maxLineBytes} bytes`);
  }
  if (size > 0) yield lineOf(builder, Buffer.concat(rest));
}

function lineOf(builder: string, line: Buffer): BuildLine {
  try {
    return decode(BuildLine, parseJson(line.toString('utf8')), 'ImageBuilder.Build');
  } catch (cause) {
    throw systemError(`builder "${builder}" sent a line that is no event: ${line.subarray(0, 200).toString()}`, {
      cause,
    });
  }
}
