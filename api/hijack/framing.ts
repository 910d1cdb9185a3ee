import type { Head } from './head.js';

/** Where a request's body ends, so that the head behind it is found before any parser sees it. */
export interface BodyFrame {
  /** How many of these bytes belong to the body; fewer than there are when it ends within them. */
  take(bytes: Buffer): number;
  readonly complete: boolean;
}

/**
 * By Content-Length or chunked coding (RFC 9112, section 6), and nothing where there is neither. A body that is framed
 * in no lawful way has no end: all that follows goes to the parser, which refuses the request and with it the
 * connection.
 */
export function bodyFrame(head: Head): BodyFrame {
  const encoding = head.values('transfer-encoding');
  const lengths = head.values('content-length');
  if (encoding.length > 0) return encoding.length > 1 || lengths.length > 0 ? endless : chunkedFrame();
  if (lengths.length === 0) return sizedFrame(0);
  const [length = ''] = lengths;
  return lengths.length === 1 && /^\d{1,15}$/.test(length) ? sizedFrame(Number(length)) : endless;
}

const endless: BodyFrame = { take: (bytes) => bytes.length, complete: false };

function sizedFrame(length: number): BodyFrame {
  let left = length;
  return {
    take(bytes) {
      const taken = Math.min(left, bytes.length);
      left -= taken;
      return taken;
    },
    get complete() {
      return left === 0;
    },
  };
}

/** A line that announces a chunk may have this many bytes, extensions and all; so may a trailer. */
const maxLine = 16 * 1024;

function chunkedFrame(): BodyFrame {
  let state: 'size' | 'data' | 'trailer' | 'done' | 'broken' = 'size';
  /** Bytes of the chunk that are missing, its line end included. */
  let left = 0;
  let line = '';

  /** Reads a whole line, without its line end. */
  const onLine = (): void => {
    if (state === 'trailer') {
      if (line === '') state = 'done';
    } else {
      const size = /^[0-9a-f]{1,12}(?=\s*(;|$))/i.exec(line)?.[0];
      if (size === undefined) state = 'broken';
      else if (Number.parseInt(size, 16) === 0) state = 'trailer';
      else {
        state = 'data';
        left = Number.parseInt(size, 16) + 2;
      }
    }
    line = '';
  };

  return {
    take(bytes) {
      let at = 0;
      while (at < bytes.length && state !== 'done') {
        if (state === 'broken') return bytes.length;
        if (state === 'data') {
          const taken = Math.min(left, bytes.length - at);
          left -= taken;
          at += taken;
          if (left === 0) state = 'size';
          continue;
        }
        const end = bytes.indexOf(10, at);
        line += bytes.toString('latin1', at, end < 0 ? bytes.length : end);
        if (line.length > maxLine) state = 'broken';
        if (end < 0) return bytes.length;
        at = end + 1;
        line = line.replace(/\r$/, '');
        onLine();
      }
      return at;
    },
    get complete() {
      return state === 'done';
    },
  };
}
