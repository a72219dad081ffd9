// A database of a test's own on the PostgreSQL that `cargo xtask test` starts.

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

/** Runs `test` with the settings of an instance on a new database, which is gone afterwards. */
export async function withDatabase(test) {
  const server = process.env.CLAVIGER_TEST_POSTGRES;
  if (!server) throw new Error('CLAVIGER_TEST_POSTGRES is not set: `cargo xtask test` sets it, `cargo xtask postgres` prints it');
  const name = `browser_${randomBytes(6).toString('hex')}`;
  const psql = (sql) => execFileSync('psql', ['-qX', '-c', sql, server]);
  psql(`CREATE DATABASE ${name}`);
  try {
    const url = server.replace(/\/[^/]*$/, `/${name}`);
    await test({ CLAVIGER_DATABASE_URL: url, CLAVIGER_MASTER_KEY: randomBytes(32).toString('hex') });
  } finally {
    psql(`DROP DATABASE ${name} WITH (FORCE)`);
  }
}
