import { describe, expect, test } from 'vitest';
import { expandWord, expandWords } from './expand.js';

const variables: Record<string, string> = {
  HOME: '/root',
  EMPTY: '',
  FILE: '/srv/app/app.tar.gz',
  STARS: 'a*b*',
  WORDS: ' one  two ',
  CITY: '京都',
};
const lookup = (name: string) => variables[name];

describe('one word', () => {
  test.each([
    ['plain', 'plain'],
    ['$HOME/bin', '/root/bin'],
    ['${HOME}bin', '/rootbin'],
    ['$HOMEbin', ''],
    ['a$UNSET.b', 'a.b'],
    ['$', '$'],
    ['a$.b', 'a$.b'],
    ['\\$HOME', '$HOME'],
    ['\\\\$HOME', '\\/root'],
    ["'$HOME'", '$HOME'],
    ['"$HOME"', '/root'],
    ['"\\$HOME \\a \\""', '$HOME \\a "'],
    ['"it\'s"', "it's"],
    ['a\\tb', 'atb'],
    ['end\\', 'end'],
    ['$CITY', '京都'],
    ['京$HOME', '京/root'],
    ['${UNSET:-x}${EMPTY:-y}${HOME:-z}', 'xy/root'],
    ['${UNSET-x}${EMPTY-y}', 'x'],
    ['${UNSET:+x}${EMPTY:+y}${HOME:+z}', 'z'],
    ['${UNSET+x}${EMPTY+y}', 'y'],
    ['${HOME:?no}${EMPTY?no}', '/root'],
    ['${UNSET:-${EMPTY:-$HOME}}', '/root'],
    ['${UNSET:-"a b"}', 'a b'],
    ['${FILE#*/}', 'srv/app/app.tar.gz'],
    ['${FILE##*/}', 'app.tar.gz'],
    ['${FILE%.*}', '/srv/app/app.tar'],
    ['${FILE%%.*}', '/srv/app/app'],
    ['${FILE#nothing}', '/srv/app/app.tar.gz'],
    ['${FILE%\\.g?}', 'error'],
    ['${STARS#a\\*}', 'b*'],
    ['${STARS%\\*}', 'a*b'],
    ['${FILE/app/x}', '/srv/x/app.tar.gz'],
    ['${FILE//app/$HOME}', '/srv//root//root.tar.gz'],
    ['${FILE//\\//_}', '_srv_app_app.tar.gz'],
    ['${FILE/tar.??/$$1}', '/srv/app/app.1'],
    ['${UNSET//a/b}', ''],
    ['$1 ${1:-one} $@', ' one '],
    ['${HOME', 'error'],
    ['${}', 'error'],
    ['${:-x}', 'error'],
    ['${HOME:=x}', 'error'],
    ['${HOME:#x}', 'error'],
    ['${FILE/app}', 'error'],
    ['"open', 'error'],
    ["'open", 'error'],
  ])('%s becomes %s', (text, expected) => {
    if (expected === 'error') expect(() => expandWord(text, lookup)).toThrow();
    else expect(expandWord(text, lookup)).toBe(expected);
  });

  test.each([
    ['${UNSET:?say it}', 'failed to process "${UNSET:?say it}": UNSET: say it'],
    ['${UNSET?}', 'failed to process "${UNSET?}": UNSET: is not allowed to be unset'],
    ['${EMPTY:?}', 'failed to process "${EMPTY:?}": EMPTY: is not allowed to be empty'],
    ['${HOME~x}', 'failed to process "${HOME~x}": unsupported modifier (~) in substitution'],
    ['${HOME', 'failed to process "${HOME": unsupported modifier () in substitution'],
    ['${HOME:-x', 'failed to process "${HOME:-x": syntax error: missing \'}\''],
    ['"a', 'failed to process "\\"a": unexpected end of statement while looking for matching double-quote'],
  ])('%s is refused: %s', (text, message) => expect(() => expandWord(text, lookup)).toThrow(message));

  test('another escape character', () => {
    expect(expandWord('C:\\x `$HOME', lookup, { escape: '`' })).toBe('C:\\x $HOME');
  });

  test('in a document quotes mean nothing', () => {
    expect(expandWord('say "$HOME" \'$HOME\'', lookup, { noQuotes: true })).toBe('say "/root" \'/root\'');
  });

  test('a variable that is unset may stay', () => {
    expect(expandWord('$UNSET ${UNSET} ${UNSET:-x}', lookup, { keepUnset: true })).toBe('$UNSET ${UNSET} ${UNSET:-x}');
  });
});

test.each([
  ['80 443/udp', ['80', '443/udp']],
  ['a$WORDS', ['a', 'one', 'two']],
  ['a"$WORDS"b', ['a one  two b']],
  ['a\\ b c', ['a b', 'c']],
  ["'' x", ['x']],
])('%s is split into %j', (text, words) => expect(expandWords(text, lookup)).toEqual(words));
