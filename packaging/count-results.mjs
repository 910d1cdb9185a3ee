// Adds up what ./check left in a directory: NAME.json of vitest with NAME.code, and whole-NAME with pass or fail.
// Prints the failures, then "N passed, N failed, N skipped"; exit 1 unless none failed and something passed.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const [directory] = process.argv.slice(2);
const count = { passed: 0, failed: 0, skipped: 0 };
const failures = [];

for (const file of readdirSync(directory).filter((name) => name.startsWith('whole-'))) {
  const passed = readFileSync(join(directory, file), 'utf8').trim() === 'pass';
  count[passed ? 'passed' : 'failed']++;
  if (!passed) failures.push(file.slice('whole-'.length));
}

for (const file of readdirSync(directory).filter((name) => name.endsWith('.code'))) {
  const suite = file.slice(0, -'.code'.length);
  const path = join(directory, `${suite}.json`);
  if (!existsSync(path)) {
    count.failed++;
    failures.push(`${suite}: it ended without a result`);
    continue;
  }
  const report = JSON.parse(readFileSync(path, 'utf8'));
  let failedHere = 0;
  for (const { name, status, message, assertionResults } of report.testResults) {
    for (const test of assertionResults) {
      if (test.status === 'passed') count.passed++;
      else if (test.status === 'failed') {
        failedHere++;
        failures.push(`${suite}: ${name}: ${test.fullName}`);
      } else count.skipped++;
    }
    // A file that could not even be loaded, or whose set-up failed, has no failed test of its own.
    if (status === 'failed' && !assertionResults.some((test) => test.status === 'failed')) {
      failedHere++;
      failures.push(`${suite}: ${name}: ${message.split('\n')[0]}`);
    }
  }
  // Errors outside of any test (an unhandled rejection) show in the exit code alone.
  if (failedHere === 0 && readFileSync(join(directory, file), 'utf8').trim() !== '0') {
    failedHere = 1;
    failures.push(`${suite}: an error outside of any test`);
  }
  count.failed += failedHere;
}

for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`);
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
