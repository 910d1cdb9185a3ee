/** The facts about a request that a connection's front needs before the HTTP parser sees it. */
export interface Head {
  readonly method: string;
  readonly target: string;
  /** Header lines as they came, without line ends; names are case-insensitive. */
  readonly lines: readonly string[];
  readonly requestLine: string;
  /** Value of the Upgrade header. */
  readonly upgrade: string | undefined;
  /** All values of a header, by its name in lower case. */
  values(name: string): string[];
}

/** Where the head that begins at 0 ends (the first byte after the empty line), or -1. */
export function endOfHead(bytes: Buffer): number {
  for (let from = 0; ; ) {
    const lineFeed = bytes.indexOf(10, from);
    if (lineFeed < 0) return -1;
    if (bytes[lineFeed + 1] === 10) return lineFeed + 2;
    if (bytes[lineFeed + 1] === 13 && bytes[lineFeed + 2] === 10) return lineFeed + 3;
    from = lineFeed + 1;
  }
}

export function parseHead(bytes: Buffer): Head {
  const [requestLine = '', ...rest] = bytes.toString('latin1').split(/\r?\n/);
  const lines = rest.filter((line) => line !== '');
  const [method = '', target = ''] = requestLine.split(' ');
  const values = (name: string): string[] =>
    lines.filter((line) => nameOf(line) === name).map((line) => line.slice(line.indexOf(':') + 1).trim());
  return { method, target, lines, requestLine, upgrade: values('upgrade')[0], values };
}

/** The head with Node's parser made to hand the connection over (`true`) or to treat it as an ordinary request. */
export function rewriteHead(head: Head, takeOver: boolean): Buffer {
  const kept = head.lines.filter((line) => !['upgrade', 'connection'].includes(nameOf(line)));
  if (takeOver) {
    kept.push('Connection: Upgrade', 'Upgrade: tcp');
  } else if (head.lines.some((line) => nameOf(line) === 'connection' && /\bclose\b/i.test(line))) {
    kept.push('Connection: close');
  }
  return Buffer.from(`${[head.requestLine, ...kept].join('\r\n')}\r\n\r\n`, 'latin1');
}

const nameOf = (line: string): string => line.slice(0, Math.max(0, line.indexOf(':'))).toLowerCase();
