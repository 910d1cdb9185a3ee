import { hostname } from 'node:os';
import type { LogEntry } from '@cleat/protocol/log-entry';
import { headerField, longest } from './header-field.js';
import type { SyslogOptions } from './log-options.js';

const severity = { stderr: 3, other: 6 };
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number): string => String(value).padStart(2, '0');
const lineFeed = Buffer.from('\n');

/**
 * Entries as syslog messages, byte by byte as Docker's (moby `daemon/logger/syslog`, RackSec/srslog), but with the time
 * at which a line was printed: it may be sent much later.
 */
export class Formatter {
  readonly #options: SyslogOptions;
  readonly #hostname = headerField(hostname(), longest.hostname);
  /** RFC 3164's TAG; of RFC 5424 the APP-NAME and, shorter, the MSGID. */
  readonly #tag: string;
  readonly #messageId: string;
  #lastTime = -1n;
  #lastText = '';

  constructor(options: SyslogOptions) {
    this.#options = options;
    const { tag, format } = options;
    this.#tag = headerField(tag, format.startsWith('rfc5424') ? longest.appName : longest.tag);
    this.#messageId = headerField(tag, longest.messageId);
  }

  /** @returns undefined for an empty line, which is not sent */
  message({ source, timeNano, line }: LogEntry): Buffer | undefined {
    if (line.length === 0) return undefined;
    const head = Buffer.from(this.#head(source === 'stderr' ? severity.stderr : severity.other, timeNano));
    const message = Buffer.concat([head, line, lineFeed]);
    return this.#framed ? Buffer.concat([Buffer.from(`${message.length} `), message]) : message;
  }

  /** RFC 5425: with its length before it. */
  get #framed(): boolean {
    return this.#options.transport === 'tcp+tls' && this.#options.format.startsWith('rfc5424');
  }

  #head(level: number, nanos: bigint): string {
    const { facility, format } = this.#options;
    const priority = `<${facility + level}>`;
    const time = this.#time(nanos);
    // Without a format, the host's name is left out: it is the local syslog that is spoken to.
    if (format === '') return `${priority}${time} ${this.#tag}[${process.pid}]: `;
    if (format === 'rfc3164') return `${priority}${time} ${this.#hostname} ${this.#tag}[${process.pid}]: `;
    return `${priority}1 ${time} ${this.#hostname} ${this.#tag} ${process.pid} ${this.#messageId} - `;
  }

  #time(nanos: bigint): string {
    const micros = nanos / 1000n;
    if (micros !== this.#lastTime) {
      this.#lastTime = micros;
      this.#lastText = this.#timeText(new Date(Number(micros / 1000n)), Number(micros % 1_000_000n));
    }
    return this.#lastText;
  }

  #timeText(at: Date, micros: number): string {
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    const { format } = this.#options;
    if (!format.startsWith('rfc5424')) {
      return `${months[at.getMonth()]} ${String(at.getDate()).padStart(2)} ${clock}`;
    }
    const date = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const fraction = format === 'rfc5424micro' ? `.${String(micros).padStart(6, '0')}` : '';
    return `${date}T${clock}${fraction}${zoneOf(at)}`;
  }
}

/** As Go's `Z07:00`. */
function zoneOf(at: Date): string {
  const minutes = -at.getTimezoneOffset();
  if (minutes === 0) return 'Z';
  const absolute = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(absolute / 60))}:${two(absolute % 60)}`;
}
