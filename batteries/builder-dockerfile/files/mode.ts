import { fault } from '../language/fault.js';

/** Gives a file its permissions. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

const [bitsOf, all] = [{ r: 4, w: 2, x: 1 } as const, 0o777];

/** `--chmod`: octal, or as chmod(1) has it (`u=rwX,go-w`), without a umask. @throws DockerfileFault */
export function modeChange(text: string): { change: ModeChange; octal?: number } {
  if (/^\d+$/.test(text)) {
    const octal = /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
    if (!(octal <= 0o7777)) {
      throw fault(`invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
    }
    return { change: () => octal, octal };
  }
  const clauses = text.split(',').map((clause) => {
    const [, who = '', actions = ''] = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause) ?? [];
    if (actions === '') throw fault(`invalid chmod parameter: '${text}'`);
    return { who: who === '' || who.includes('a') ? 'ugo' : who, actions: actions.match(/[-+=][rwxXstugo]*/g) ?? [] };
  });
  return {
    change(mode, isDirectory) {
      let changed = mode;
      for (const { who, actions } of clauses) {
        for (const action of actions) changed = applied(changed, who, action, isDirectory);
      }
      return changed;
    },
  };
}

function applied(mode: number, who: string, action: string, isDirectory: boolean): number {
  const sign = action.charAt(0);
  const what = action.slice(1);
  const shifts: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
  let bits = 0;
  for (const letter of what) {
    if (letter === 'r' || letter === 'w' || letter === 'x') bits |= bitsOf[letter];
    if (letter === 'X' && (isDirectory || (mode & 0o111) !== 0)) bits |= 1;
    if (letter in shifts) bits |= (mode >> (shifts[letter] ?? 0)) & 7;
  }
  let set = 0;
  let field = 0;
  for (const one of who) {
    set |= bits << (shifts[one] ?? 0);
    field |= 7 << (shifts[one] ?? 0);
  }
  if (what.includes('s')) set |= (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0);
  if (what.includes('t')) set |= 0o1000;
  if (sign === '+') return mode | set;
  if (sign === '-') return mode & ~set;
  const special =
    (who.includes('u') ? 0o4000 : 0) | (who.includes('g') ? 0o2000 : 0) | (what.includes('t') ? 0o1000 : 0);
  return (mode & ~(field & all) & ~special) | set;
}
