import type { Extensions } from '@cleat/extensions/service';
import { invalidParameter, isClass, messageOf } from '@cleat/protocol/errors';
import { logKind } from '@cleat/protocol/kinds/log';
import { parseBinarySize, parseSize } from '@cleat/protocol/size';

/** Options that the engine itself acts on for every driver. */
const ownOptions = new Set([
  'mode',
  'max-buffer-size',
  'cache-disabled',
  'cache-max-size',
  'cache-max-file',
  'cache-compress',
  'cache-labels',
  'cache-labels-regex',
  'cache-env',
  'cache-env-regex',
  'cache-tag',
]);

/** A container that is made does not wait long for a driver that hangs: it is asked again when it starts. */
const deadlineMs = 3000;

export interface CheckOptions {
  /** Waits for a driver that is just being started, as one does when the whole engine starts. */
  readonly patient?: boolean;
}

/**
 * Whether a container may be made with this log driver and these options (moby `daemon/logger/factory.go`,
 * ValidateLogOpts): the driver is known, and has no objection if it checks options. One that is known but does not
 * answer may be there by the time the container starts.
 * @throws InvalidParameter in Docker's words
 */
export async function checkLogOptions(
  extensions: Pick<Extensions, 'get'>,
  driver: string,
  options: Readonly<Record<string, string>>,
  { patient = false }: CheckOptions = {},
): Promise<void> {
  const impatient = !patient;
  checkOwn(options);
  try {
    const client = await extensions.get(logKind, driver, { impatient });
    const asked = Object.entries(options).filter(([key]) => !ownOptions.has(key));
    if (asked.length === 0) return;
    const capabilities = await client.Capabilities({}, { deadlineMs, impatient });
    if (!capabilities?.Cap?.ValidateOptions) return;
    await client.ValidateOptions({ Config: Object.fromEntries(asked) }, { deadlineMs, impatient });
  } catch (error) {
    if (isClass(error, 'Unavailable') || isClass(error, 'DeadlineExceeded')) return;
    if (!isClass(error, 'NotFound')) throw invalidParameter(messageOf(error), { cause: error });
    // Clients compare this text, so that it ends here; who starts an engine is told which drivers there are.
    const why = patient ? messageOf(error) : messageOf(error).replace(/ \(known for [^)]*\)$/, '');
    throw invalidParameter(`error looking up logging plugin ${driver}: ${why}`, { cause: error });
  }
}

/** Those that the engine sees to itself. @throws InvalidParameter */
function checkOwn({
  mode = '',
  'max-buffer-size': buffer,
  'cache-disabled': disabled = '',
  ...options
}: Readonly<Record<string, string>>): void {
  if (!['', 'blocking', 'non-blocking'].includes(mode)) {
    throw invalidParameter(`logger: logging mode not supported: ${mode}`);
  }
  if (buffer !== undefined && mode !== 'non-blocking') {
    throw invalidParameter("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  }
  if (buffer !== undefined && parseBinarySize(buffer) === undefined) {
    throw invalidParameter(`error parsing option max-buffer-size: invalid size: '${buffer}'`);
  }
  if (!/^(?:1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)?$/.test(disabled)) {
    throw invalidParameter(`invalid value for option cache-disabled: ${disabled}`);
  }
  const size = options['cache-max-size'];
  if (size !== undefined && parseSize(size) === undefined) {
    throw invalidParameter(`invalid value for cache-max-size: ${size}: invalid size: '${size}'`);
  }
  const files = options['cache-max-file'];
  if (files !== undefined && !/^[1-9]\d*$/.test(files)) {
    throw invalidParameter(`invalid value for cache-max-file: ${files}: use a number from 1`);
  }
}
