import type { Extensions } from '@cleat/extensions/service';
import { CleatError, invalidParameter, isClass } from '@cleat/protocol/errors';
import { logKind } from '@cleat/protocol/kinds/log';
import { parseSize } from '@cleat/protocol/size';

/** What the engine itself does with every driver's output. */
const ownOptions = new Set([
  'mode',
  'max-buffer-size',
  'cache-disabled',
  'cache-max-size',
  'cache-max-file',
  'cache-compress',
]);

/**
 * Whether a container may be made with this log driver and these options (moby `daemon/logger/factory.go`,
 * ValidateLogOpts): the driver is known, and knows the options if it says which ones it has. One that is known but does
 * not answer may be there by the time the container starts.
 * @throws InvalidParameter in Docker's words
 */
export async function checkLogOptions(
  extensions: Pick<Extensions, 'get'>,
  driver: string,
  options: Readonly<Record<string, string>>,
): Promise<void> {
  const { mode = '', 'max-buffer-size': size } = options;
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalidParameter(`logger: logging mode not supported: ${mode}`);
  }
  if (size !== undefined) {
    if (mode !== 'non-blocking') {
      throw invalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    }
    if (parseSize(size) === undefined) {
      throw invalidParameter(`error parsing option max-buffer-size: invalid size: '${size}'`);
    }
  }
  try {
    const client = await extensions.get(logKind, driver, { impatient: true });
    const asked = Object.keys(options).filter((key) => !ownOptions.has(key));
    if (asked.length === 0) return;
    const known = (await client.Capabilities({}))?.Cap?.Options;
    const unknown = known && asked.find((key) => !known.includes(key));
    if (unknown !== undefined) throw invalidParameter(`unknown log opt '${unknown}' for ${driver} log driver`);
  } catch (error) {
    if (isClass(error, 'NotFound')) {
      throw invalidParameter(`error looking up logging plugin ${driver}: ${error.message}`, { cause: error });
    }
    if (error instanceof CleatError && error.class !== 'InvalidParameter') return;
    throw error;
  }
}
