import { randomInt } from 'node:crypto';

/**
 * Names for containers that were given none: an adjective and somebody who made computing what it is. Lower case,
 * joined by an underscore, as tools expect that parse such names.
 */
const adjectives =
  `able agile amber apt astute awake balmy bold brave breezy bright brisk calm candid cheery civil clear clever cosy
crisp curious daring deft eager earnest easy even fair fearless fine firm fleet fond frank free fresh friendly gallant
gentle glad golden good grand handy happy hardy hearty honest humble jolly jovial keen kind lively loyal lucid lucky
mellow merry mild modest neat nimble noble patient placid plucky polite proud prudent quick quiet rapid ready robust
salty serene sharp silent sincere smart snug sober solid spry stable steady still stout sturdy sunny sure swift tidy
tranquil trim true trusty upbeat useful valiant vivid warm wary wise witty zesty`.split(/\s+/);

const people =
  `adleman agnesi aiken allen babbage backus bartik berners boole borg brooks cerf chomsky church clark codd cocke
conway cook cormack corbato cray curry dahl diffie dijkstra eckert engelbart estrin feinler floyd franklin gabriel
gilbreth goldberg gosling granville gray hamilton hamming hellman hoare hollerith holberton hopper huffman iverson
jacquard johnson joy kahan kahn karp kay keller kernighan kildall kleene knuth kowalski lamarr lamport lampson lederberg
leibniz licklider liskov lovelace mauchly mccarthy mcilroy metcalfe milner minsky naur nelson newell neumann noether
nygaard ousterhout papert perlis perlman pike postel rabin reynolds ritchie rivest sammet scott shamir shannon shaw
simon stallman stearns steele stonebraker strachey sutherland tanenbaum tarjan thompson torvalds turing vaughan wilkes
wilkinson wing wirth yao zuse`.split(/\s+/);

const pick = (words: readonly string[]): string => words[randomInt(words.length)] ?? 'cleat';

/**
 * A name that `taken` does not know yet. After a few collisions a digit is added, so that it ends even when almost
 * all names are in use.
 */
export function generateName(taken: (name: string) => boolean): string {
  for (let attempt = 0; ; attempt++) {
    const base = `${pick(adjectives)}_${pick(people)}`;
    const name = attempt < 6 ? base : `${base}${randomInt(10 ** Math.min(attempt - 5, 12))}`;
    if (!taken(name)) return name;
  }
}
