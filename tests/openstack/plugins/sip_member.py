"""A Heat resource that is a SIP server on this machine: `Kamscale::Test::SipMember`. Templates keep OS::Nova::Server and the
environment of a test maps that type onto this one.

Create picks a free loopback address and starts one process there, in a session of its own, so that it outlives the
engine like a server of a real cloud would. Delete ends that process and no other. Everything it knows about a member stands in
DIR/members/ID.json; DIR/members/journal.jsonl says what happened, one line each. It knows nothing of SIP: the command does.

What a property leaves open is taken from DIR/members.json, read at every create, then from the defaults here. That
file has patterns of stack names (those of a nested stack begin with its parent's):
    {"pool-a*": {"boot_s": 3, "fail": 0.5}, "*": {"address_range": "127.0.30.1-127.0.30.50"}}
"""
import contextlib
import fcntl
import fnmatch
import ipaddress
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time
import uuid

from heat.common import exception
from heat.engine import attributes, properties, resource

DIR = pathlib.Path(os.environ.get('KAMSCALE_OPENSTACK_DIR', '/nonexistent'))
MEMBERS = DIR / 'members'
SCENARIO = pathlib.Path(__file__).resolve().parents[2] / 'sipp' / 'uas.xml'
SIPP = ('sipp -sf {scenario} -i {address} -mi {address} -ci {address} -p {port} -bind_local -nostdin '
        '-trace_stat -stf stat.csv -fd 1 -trace_counts -trace_err -error_file errors.log')
DEFAULTS = {'address_range': '127.0.20.1-127.0.20.250', 'port': 5060, 'command': SIPP.split(), 'boot_s': 0, 'fail': 0}
GRACE_S = 3


def start_time(pid):
    """What tells a process from a later one of the same number; None when it is gone."""
    try:
        fields = pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    except OSError:
        return None
    return None if fields[0] == 'Z' else fields[19]


def lives(member):
    """Whether the process of this record runs."""
    return member.get('pid') is not None and start_time(member['pid']) == member['start_time']


@contextlib.contextmanager
def alone():
    """One at a time chooses an address or writes the journal. Nothing in here waits, so no green thread is held up."""
    MEMBERS.mkdir(parents=True, exist_ok=True)
    with open(MEMBERS / '.lock', 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read(path):
    """A record, or None."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


def write(path, record):
    """A record that is there whole or not at all."""
    part = path.with_suffix('.part')
    part.write_text(json.dumps(record))
    part.rename(path)


def journal(event, record):
    """One line of what happened."""
    line = {'at': time.time(), 'event': event, **record}
    with open(MEMBERS / 'journal.jsonl', 'a') as file:
        file.write(json.dumps(line) + '\n')


def is_free(address, port):
    """Whether a SIP server could be bound there."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def free_address(address_range, port):
    """The first address of the range that no member has and that can be bound."""
    first, _, last = address_range.partition('-')
    first, last = ipaddress.IPv4Address(first.strip()), ipaddress.IPv4Address((last or first).strip())
    if not (first.is_loopback and last.is_loopback):
        raise ValueError(f'address_range {address_range} is not in 127.0.0.0/8')
    taken = {(read(path) or {}).get('address') for path in MEMBERS.glob('*.json')}
    for number in range(int(first), int(last) + 1):
        address = str(ipaddress.IPv4Address(number))
        if address not in taken and is_free(address, port):
            return address
    raise ValueError(f'no address is free in {address_range}')


def spawn(record, command):
    """Starts the command in a session of its own; returns its process id. Its parent is not the engine."""
    folder = MEMBERS / 'runs' / record['id']
    folder.mkdir(parents=True, exist_ok=True)
    fill = {'{scenario}': str(SCENARIO), '{dir}': str(folder), '{id}': record['id'],
            '{name}': record['name'], '{address}': record['address'], '{port}': str(record['port'])}
    words = []
    for word in command:
        for mark, value in fill.items():
            word = word.replace(mark, value)
        words.append(word)
    environment = {**os.environ, 'KAMSCALE_MEMBERS_DIR': str(MEMBERS), 'KAMSCALE_MEMBER_ID': record['id']}
    script = 'setsid "$@" >out.log 2>&1 </dev/null & echo $!'
    started = subprocess.run(['/bin/sh', '-c', script, 'sh', *words], cwd=folder, env=environment, check=True,
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=10)
    return int(started.stdout)


class SipMember(resource.Resource):
    """See above."""

    OWN = ('name', 'address_range', 'port', 'command', 'boot_s', 'fail')
    # What templates say about real servers is taken and means nothing here.
    OF_SERVERS = {
        'image': properties.Schema.STRING, 'flavor': properties.Schema.STRING, 'key_name': properties.Schema.STRING,
        'availability_zone': properties.Schema.STRING, 'networks': properties.Schema.LIST,
        'security_groups': properties.Schema.LIST, 'block_device_mapping_v2': properties.Schema.LIST,
        'metadata': properties.Schema.MAP, 'scheduler_hints': properties.Schema.MAP, 'tags': properties.Schema.LIST,
        'user_data': properties.Schema.STRING, 'user_data_format': properties.Schema.STRING,
        'user_data_update_policy': properties.Schema.STRING, 'config_drive': properties.Schema.BOOLEAN,
        'software_config_transport': properties.Schema.STRING,
    }
    properties_schema = {
        'name': properties.Schema(properties.Schema.STRING, 'Its name; made from the stack otherwise.', update_allowed=True),
        'address_range': properties.Schema(properties.Schema.STRING, 'FIRST-LAST, loopback addresses.'),
        'port': properties.Schema(properties.Schema.INTEGER, 'The UDP port.'),
        'command': properties.Schema(
            properties.Schema.LIST, 'Program and words; {address} {port} {name} {id} {dir} {scenario} are replaced.'),
        'boot_s': properties.Schema(properties.Schema.NUMBER, 'Seconds before the process is started.'),
        'fail': properties.Schema(properties.Schema.STRING, 'true, or the share (0 to 1) of creates that fail.'),
        **{name: properties.Schema(kind, 'Without a meaning here.', update_allowed=True) for name, kind in OF_SERVERS.items()},
    }
    attributes_schema = {
        name: attributes.Schema(text, type=kind, cache_mode=attributes.Schema.CACHE_NONE)
        for name, text, kind in (
            ('first_address', 'Its address.', attributes.Schema.STRING),
            ('accessIPv4', 'Its address.', attributes.Schema.STRING),
            ('networks', 'Its address, by the name of a network.', attributes.Schema.MAP),
            ('name', 'Its name.', attributes.Schema.STRING),
            ('pid', 'Its process id.', attributes.Schema.INTEGER))
    }

    def _path(self):
        return MEMBERS / f'{self.resource_id}.json'

    def _setting(self, name):
        value = self.properties[name]
        if value is not None:
            return value
        for pattern, settings in (read(DIR / 'members.json') or {}).items():
            if name in settings and fnmatch.fnmatchcase(self.stack.name, pattern):
                return settings[name]
        return DEFAULTS[name]

    def _is_to_fail(self):
        value = str(self._setting('fail')).lower()
        share = {'true': 1.0, 'false': 0.0}.get(value)
        return random.random() < (float(value) if share is None else share)

    def handle_create(self):
        """The id is stored before anything is started: what the engine forgot, nobody could delete."""
        self.resource_id_set(str(uuid.uuid4()))
        record = {'id': self.resource_id, 'name': self.properties['name'] or self.physical_resource_name(),
                  'stack': self.stack.name, 'stack_id': self.stack.id, 'port': int(self._setting('port')),
                  'pid': None, 'start_time': None, 'created_at': time.time()}
        with alone():
            try:
                record['address'] = free_address(self._setting('address_range'), record['port'])
            except ValueError as error:
                raise exception.Error(f'SipMember: {error}')
            write(self._path(), record)
            journal('create', record)
        return {'ready_at': time.time() + float(self._setting('boot_s')), 'fail': self._is_to_fail(),
                'command': list(self._setting('command'))}

    def check_create_complete(self, plan):
        """True when the process was started and still runs at the next look."""
        record = read(self._path())
        if record is None:
            raise exception.Error('SipMember: its record was removed while it was made')
        if record['pid'] is not None:
            if not lives(record):
                raise exception.Error(f'SipMember: the process ended at once; see members/runs/{self.resource_id}')
            return True
        if time.time() < plan['ready_at']:
            return False
        if plan['fail']:
            with alone():
                journal('fail', record)
            raise exception.Error('SipMember: told to fail')
        record['pid'] = spawn(record, plan['command'])
        record['start_time'] = start_time(record['pid'])
        with alone():
            write(self._path(), record)
            journal('start', record)
        return False

    def handle_delete(self):
        """Asks the process to end. One that vanished is no error."""
        record = read(self._path()) if self.resource_id else None
        if record is None:
            return None
        self._signal(record, signal.SIGTERM)
        return {'record': record, 'kill_at': time.time() + GRACE_S}

    def check_delete_complete(self, ending):
        """True when the process is gone, and its record with it."""
        if ending is None:
            return True
        if lives(ending['record']):
            if time.time() >= ending['kill_at']:
                self._signal(ending['record'], signal.SIGKILL)
            return False
        with alone():
            self._path().unlink(missing_ok=True)
            journal('delete', ending['record'])
        return True

    @staticmethod
    def _signal(record, number):
        if lives(record):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(record['pid'], number)

    def handle_update(self, json_snippet, tmpl_diff, prop_diff):
        """What may change means nothing here."""

    def _resolve_attribute(self, name):
        record = read(self._path()) if self.resource_id else None
        if record is None:
            return None
        if name == 'networks':
            return {'loopback': [record['address']]}
        return record['address'] if name in ('first_address', 'accessIPv4') else record[name]


def resource_mapping():
    """The one type."""
    return {'Kamscale::Test::SipMember': SipMember}
