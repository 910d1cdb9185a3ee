import type { Progress } from '@cleat/protocol/api/image';
import { messageOf } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';

/**
 * Progress as lines of JSON. What fails before the first line is an ordinary error with its status; what fails later
 * becomes a last line, because the head is out.
 */
export async function sendProgress(
  x: Exchange,
  lines: AsyncIterable<Progress>,
  head: Readonly<Record<string, string>> = {},
): Promise<void> {
  let begun = false;
  const begin = async (): Promise<void> => {
    if (!begun) await x.begin(200, 'application/json', head);
    begun = true;
  };
  try {
    for await (const line of lines) {
      await begin();
      // Old clients read `error`, newer ones `errorDetail`.
      const whole =
        line.error !== undefined && !line.errorDetail ? { ...line, errorDetail: { message: line.error } } : line;
      if (!(await x.writeLine(whole))) return;
    }
    await x.settled();
    await begin();
  } catch (error) {
    if (!begun) throw error;
    x.log.debug('progress ended with an error', { error: messageOf(error) });
    await x.writeLine({ errorDetail: { message: messageOf(error) }, error: messageOf(error) });
  }
  x.end();
}
