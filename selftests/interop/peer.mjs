// SPDX-License-Identifier: GPL-2.0-only
// Node's ws as the peer of an echo, in either role.
//   peer.mjs client URL   against kws echo --deflate
//   peer.mjs server       for one connection of kws cat --echo; prints its port
//   peer.mjs deflate      the same for kws cat --echo --deflate
//   peer.mjs gate         holds one connection until SIGTERM, then closes it
// A server, but not the gate, speaks TLS when KWS_TEST_TLS is the folder of the
// certificates. Prints "ok NAME" and "not ok NAME # why".
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { once } from 'node:events';
import { constants, deflateRawSync } from 'node:zlib';

const require = createRequire(process.env.INTEROP_MODULES + '/');
const { WebSocket, WebSocketServer } = require('ws');

const LIMIT_MS = 60000 * Number(process.env.KWS_SLOWNESS ?? 1);
let failed = 0;

function within(promise, what) {
	let timer;
	const late = new Promise((_, reject) => {
		timer = setTimeout(() => reject(new Error(`no ${what}`)), LIMIT_MS);
	});
	return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function check(name, run) {
	try {
		await run();
		console.log(`ok ${name}`);
	} catch (error) {
		failed++;
		console.log(`not ok ${name} # ${error.message}`);
	}
}

// Messages in the order they come, also those that nobody waits for yet.
class Inbox {
	constructor(ws) {
		this.ws = ws;
		this.messages = [];
		this.waiting = [];
		ws.on('message', (data, binary) => {
			const message = { data, binary };
			const taker = this.waiting.shift();
			if (taker)
				taker(message);
			else
				this.messages.push(message);
		});
	}

	next() {
		if (this.messages.length)
			return Promise.resolve(this.messages.shift());
		return within(new Promise((take) => this.waiting.push(take)), 'echo');
	}

	async expect(wanted, binary) {
		const got = await this.next();
		const bytes = Buffer.from(wanted);
		if (got.binary !== binary)
			throw new Error(`binary is ${got.binary}`);
		if (!bytes.equals(got.data))
			throw new Error(`${got.data.length} bytes came, not the ${bytes.length} sent`);
	}

	async echo(data, binary) {
		this.ws.send(data, { binary });
		await this.expect(data, binary);
	}
}

function pattern(n) {
	const b = Buffer.alloc(n);
	for (let i = 0; i < n; i++)
		b[i] = (i * 31 + (i >> 8)) & 255;
	return b;
}

async function pong(ws, payload) {
	const got = within(once(ws, 'pong'), 'pong');
	ws.ping(payload);
	const [data] = await got;
	if (!Buffer.from(payload).equals(data))
		throw new Error(`pong with ${data}`);
}

async function checks(ws) {
	const inbox = new Inbox(ws);

	await check('text', () => inbox.echo('hello', false));
	await check('text beyond ASCII', () => inbox.echo('κόσμε 🌍 ñ', false));
	await check('binary', () => inbox.echo(pattern(256), true));
	await check('empty text', () => inbox.echo('', false));
	await check('empty binary', () => inbox.echo(Buffer.alloc(0), true));
	await check('lengths at the edges', async () => {
		for (const n of [1, 125, 126, 127, 65535, 65536])
			await inbox.echo(pattern(n), true);
	});
	await check('1 MiB binary', () => inbox.echo(pattern(1 << 20), true));
	await check('1 MiB text', () => inbox.echo('grün'.repeat(209715), false));
	await check('fragments', async () => {
		ws.send('Hal', { binary: false, fin: false });
		ws.send('lo, ', { binary: false, fin: false });
		ws.send('Welt', { binary: false, fin: true });
		await inbox.expect('Hallo, Welt', false);
	});
	await check('ping', () => pong(ws, 'are you there?'));
	await check('ping between fragments', async () => {
		ws.send('one ', { binary: false, fin: false });
		await pong(ws, 'between');
		ws.send('message', { binary: false, fin: true });
		await inbox.expect('one message', false);
	});
	await check('500 messages at once', async () => {
		for (let i = 0; i < 500; i++)
			ws.send(`message ${i}`);
		for (let i = 0; i < 500; i++)
			await inbox.expect(`message ${i}`, false);
	});
}

const OFFERS = [
	{ name: 'deflate', options: {}, answer: 'permessage-deflate' },
	{
		name: 'deflate, no takeover',
		options: { serverNoContextTakeover: true, clientNoContextTakeover: true },
		answer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
	},
	{
		name: 'deflate, windows 9 and 10',
		options: { serverMaxWindowBits: 9, clientMaxWindowBits: 10 },
		answer: 'permessage-deflate; server_max_window_bits=9; client_max_window_bits=10',
	},
	{
		name: 'deflate, window 8',
		options: { serverMaxWindowBits: 8, clientNoContextTakeover: true },
		answer: 'permessage-deflate; client_no_context_takeover; server_max_window_bits=8',
	},
];

function json(n) {
	const rows = [];
	for (let i = 0; i < n; i++)
		rows.push({ id: i, name: `row ${i * 7919 % 1000}`, on: i % 3 === 0 });
	return JSON.stringify(rows);
}

async function deflateChecks(ws, name) {
	const inbox = new Inbox(ws);

	await check(`${name}: small, empty, small`, async () => {
		for (const text of ['Hello', '', '', 'Hello', json(2), json(2)])
			await inbox.echo(text, false);
	});
	await check(`${name}: sizes up to 1 MiB`, async () => {
		for (const n of [63, 64, 65, 500, 32768, 32769, 65536, 1 << 20])
			await inbox.echo(pattern(n), true);
	});
	await check(`${name}: shorter on the wire`, async () => {
		const text = json(20000), socket = ws._socket;
		const [read, written] = [socket.bytesRead, socket.bytesWritten];
		await inbox.echo(text, false);
		for (const n of [socket.bytesRead - read, socket.bytesWritten - written])
			if (n > text.length / 3)
				throw new Error(`${n} bytes for ${text.length}`);
	});
	await check(`${name}: noise and text in turn`, async () => {
		for (let i = 0; i < 20; i++) {
			await inbox.echo(randomBytes(40 + 997 * i), true);
			await inbox.echo(json(i), false);
		}
	});
	await check(`${name}: fragments and a ping`, async () => {
		ws.send(json(300), { binary: false, fin: false });
		ws.send('', { binary: false, fin: false });
		await pong(ws, 'between');
		ws.send(json(300), { binary: false, fin: true });
		await inbox.expect(json(300) + json(300), false);
	});
	await check(`${name}: 300 messages at once`, async () => {
		for (let i = 0; i < 300; i++)
			ws.send(json(i % 40));
		for (let i = 0; i < 300; i++)
			await inbox.expect(json(i % 40), false);
	});
}

async function offer(url, { name, options, answer }) {
	const ws = new WebSocket(url, {
		perMessageDeflate: { ...options, threshold: 0 },
	});
	const upgraded = within(once(ws, 'upgrade'), 'answer');
	await within(once(ws, 'open'), 'connection');
	await check(`${name}: the answer`, async () => {
		const [response] = await upgraded;
		const got = response.headers['sec-websocket-extensions'];
		if (got !== answer)
			throw new Error(got);
	});
	await deflateChecks(ws, name);
	await check(`${name}: close`, () => checkClose(ws, 1000, '', 1000));
}

// A frame with RSV1 and FIN, masked with zeros.
function compressed(opcode, payload) {
	const head = Buffer.alloc(14);
	head[0] = 0xc0 | opcode;
	head[1] = 0xff;
	head.writeBigUInt64BE(BigInt(payload.length), 2);
	if (payload.length > 65535)
		return Buffer.concat([head, payload]);
	if (payload.length > 125) {
		head[1] = 0xfe;
		head.writeUInt16BE(payload.length, 2);
		return Buffer.concat([head.subarray(0, 4), Buffer.alloc(4), payload]);
	}
	head[1] = 0x80 | payload.length;
	return Buffer.concat([head.subarray(0, 2), Buffer.alloc(4), payload]);
}

function raw(data) {
	return deflateRawSync(data, { finishFlush: constants.Z_SYNC_FLUSH })
		.subarray(0, -4);
}

// 1 MiB that inflates to 1 GiB: a part that stands alone, again and again.
function bomb() {
	const part = deflateRawSync(Buffer.alloc(1 << 20), {
		level: 9, finishFlush: constants.Z_FULL_FLUSH,
	});
	return Buffer.concat(Array(1024).fill(part));
}

const FAULTS = [
	['corrupt data', 1, Buffer.from([6, 0]), 1007],
	['data that ends too soon', 2, Buffer.from([0xf2, 0x48]), 1007],
	['text that is not UTF-8', 1, raw(Buffer.from('a\xffb', 'latin1')), 1007],
	['a bomb', 2, bomb(), 1009],
];

async function fault(url, [name, opcode, payload, wanted]) {
	const ws = new WebSocket(url);
	const inbox = new Inbox(ws);
	await within(once(ws, 'open'), 'connection');
	await check(`deflate, ${name}: ${wanted}`, async () => {
		await inbox.echo(json(100), false);
		const closed = within(once(ws, 'close'), 'close');
		ws._socket.write(compressed(opcode, payload));
		const [got] = await closed;
		if (got !== wanted)
			throw new Error(`code ${got} instead of ${wanted}`);
	});
}

async function checkClose(ws, code, reason, wanted) {
	const closed = within(once(ws, 'close'), 'close');
	ws.close(code, reason);
	const [got] = await closed;
	if (got !== wanted)
		throw new Error(`code ${got} instead of ${wanted}`);
}

async function open(url) {
	const ws = new WebSocket(url, { perMessageDeflate: false });
	await within(once(ws, 'open'), 'connection');
	return ws;
}

async function client(url) {
	const ws = await open(url);

	await checks(ws);
	await check('close with code and reason',
		    () => checkClose(ws, 4321, 'good bye', 4321));
	await check('close without a code', async () => {
		await checkClose(await open(url), undefined, undefined, 1005);
	});
	await check('20 connections', async () => {
		const all = await Promise.all(Array.from({ length: 20 }, () => open(url)));
		const inboxes = all.map((one) => new Inbox(one));
		await Promise.all(inboxes.map((one, i) => one.echo(`I am ${i}`, false)));
		await Promise.all(all.map((one) => checkClose(one, 1000, '', 1000)));
	});
	for (const one of OFFERS)
		await offer(url, one);
	for (const one of FAULTS)
		await fault(url, one);
}

function tlsServer(folder) {
	return createServer({
		cert: readFileSync(`${folder}/good.pem`),
		key: readFileSync(`${folder}/good.key`),
		ALPNProtocols: ['http/1.1'],
	});
}

async function listen(perMessageDeflate = false, folder = process.env.KWS_TEST_TLS) {
	const below = folder ? tlsServer(folder) : undefined;
	const server = new WebSocketServer(below ? { server: below, perMessageDeflate } : {
		host: '127.0.0.1', port: 0, perMessageDeflate,
	});
	if (below)
		below.listen(0, '127.0.0.1');
	await once(server, 'listening');
	console.log(`port ${server.address().port}`);
	const [ws] = await once(server, 'connection');
	return [server, ws];
}

async function main([role, url]) {
	if (role === 'client') {
		await client(url);
	} else if (role === 'server') {
		const [server, ws] = await listen();
		await checks(ws);
		await check('close with code and reason',
			    () => checkClose(ws, 4321, 'good bye', 4321));
		server.close();
	} else if (role === 'deflate') {
		const [server, ws] = await listen({
			threshold: 0, serverMaxWindowBits: 13, clientMaxWindowBits: 11,
		});
		await check('deflate: agreed on', async () => {
			if (ws.extensions !== 'permessage-deflate')
				throw new Error(`extensions "${ws.extensions}"`);
		});
		await deflateChecks(ws, 'deflate');
		await check('deflate: close',
			    () => checkClose(ws, 4321, 'good bye', 4321));
		server.close();
	} else if (role === 'gate') {
		const told = once(process, 'SIGTERM');
		const [server, ws] = await listen(false, null);
		await told;
		await checkClose(ws, 1000, '', 1000);
		server.close();
	} else {
		throw new Error('usage: peer.mjs client URL | server | deflate | gate');
	}
}

try {
	await main(process.argv.slice(2));
} catch (error) {
	failed++;
	console.log(`not ok conversation # ${error.message}`);
}
process.exit(failed ? 1 : 0);
