#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# test_lists.sh: which SA contexts a list shows, and the labels that lists ask for.
# shellcheck source=tests/api/lib.sh
. "$(dirname "$0")/lib.sh"

start_daemon || exit 1
add_filters

# create REMOTE MEMBERS: a transport context, prints its id.
create() {
    local local_address=192.0.2.1 filter=$OUT4
    [[ $1 != *:* ]] || { local_address=2001:db8::1 filter=$OUT6; }
    call POST /sa-contexts "{\"localAddress\": \"$local_address\", \"remoteAddress\": \"$1\",
        \"trafficType\": \"transport\", \"ipsecFilterId\": $filter ${2:+, $2}}"
    member .id
}
# shows NAME QUERY ID…: the list with this query shows exactly these.
shows() {
    local name=$1 query=$2
    shift 2
    call GET "/sa-contexts?$query"
    is "$name" "$STATUS $(member '[.items[].id] | join(" ")')" "200 $*"
}

A=$(create 198.51.100.7 '"labels": {"site": "b", "role": "db"}')
B=$(create 198.51.100.8 '"spi": 4096, "labels": {"site": "b"}')
C=$(create 198.51.100.200 '"spi": 70000, "labels": {"site": "c", "empty": ""}')
D=$(create 2001:db8:1::7)
check "four contexts" test -n "$A" -a -n "$B" -a -n "$C" -a -n "$D"

# --- Subnets, state, SPI, type --------------------------------------------------------------------

shows "all" "" "$A" "$B" "$C" "$D"
shows "a remote address" "remoteAddress=198.51.100.7" "$A"
shows "a remote subnet" "remoteAddress=198.51.100.0/25" "$A" "$B"
shows "percent-encoded" "remoteAddress=198.51.100.0%2F25" "$A" "$B"
shows "a local address" "localAddress=192.0.2.1" "$A" "$B" "$C"
shows "every v4 address" "localAddress=0.0.0.0/0" "$A" "$B" "$C"
shows "a v6 subnet" "remoteAddress=2001:db8:1::/48" "$D"
shows "both" "localAddress=192.0.2.0/24&remoteAddress=198.51.100.128/25" "$C"
shows "a state" "state=spiSet" "$B" "$C"
shows "an SPI" "spi=70000" "$C"
shows "an SPI that nobody has" "spi=70001"
shows "a type" "trafficType=transport" "$A" "$B" "$C" "$D"
shows "the other" "trafficType=tunnel"
shows "several at once" "state=spiSet&remoteAddress=198.51.100.0/25&trafficType=transport" "$B"
for query in remoteAddress=198.51.100.7/25 remoteAddress=x localAddress= state=sleeping state= spi=0 \
    spi=4294967296 spi=x trafficType=both; do
    call GET "/sa-contexts?$query"
    answered "refused: $query" 400 "$(member .code)" "${query%%=*}"
done
call GET "/sa-contexts?localAddress=192.0.2.1&remoteAddress=2001:db8::1"
answered "no context has both" 422 FWP_E_NEVER_MATCH

# --- Labels ---------------------------------------------------------------------------------------

call GET "/sa-contexts/$A"
is "labels are read back" "$(member '.labels | to_entries | map(.key + "=" + .value) | sort | join(",")')" \
    "role=db,site=b"
shows "a name" "label=site" "$A" "$B" "$C"
shows "a name and a value" "label=site=b" "$A" "$B"
shows "several" "label=site=b,role" "$A"
shows "several times" "label=site=b&label=role" "$A"
shows "an empty value" "label=empty=" "$C"
shows "a name that nobody has" "label=none"
shows "labels and more" "label=site&state=created" "$A"
call GET "/sa-contexts?label=site&limit=1"
is "page by page" "$(member '.items[0].id')" "$A"
call GET "/sa-contexts?label=site&limit=2&cursor=$(member .nextCursor)"
is "the next" "$(member '[.items[].id] | join(" ")')" "$B $C"
call GET "/sa-contexts?label=site&limit=1"
call GET "/sa-contexts?label=site=b&cursor=$(member .nextCursor)"
answered "a cursor of other labels" 400 FWP_E_INVALID_PARAMETER cursor
for query in label= label== label=,a label=a,,b; do
    call GET "/sa-contexts?$query"
    answered "refused: $query" 400 FWP_E_INVALID_PARAMETER label
done

LONGEST=$(printf 'n%.0s' {1..63})=$(printf 'v%.0s' {1..255})
call PATCH "/sa-contexts/$C" "{\"labels\": {\"site\": \"a,b\", \"${LONGEST%=*}\": \"${LONGEST#*=}\"}}"
answered "commas and all that fits" 200
shows "a value with a comma" "label=site=a%2Cb" "$C"
shows "which is not two labels" "label=site=a,b"
shows "the longest label" "label=$LONGEST" "$C"
call GET "/sa-contexts?label=site=a%2Cb&limit=1"
call GET "/sa-contexts?label=site=a,b&cursor=$(member '.nextCursor // "x"')"
answered "a cursor of another cut" 400 FWP_E_INVALID_PARAMETER cursor

# pairs COUNT: so many labels.
pairs() {
    seq 1 "$1" | sed 's/.*/"n&": "v&"/' | paste -sd ,
}
call PATCH "/sa-contexts/$A" "{\"labels\": {$(pairs 16)}}"
is "sixteen pairs" "$STATUS $(member '.labels | length')" "200 16"
shows "all of them" "label=$(seq 1 16 | sed 's/.*/n&=v&/' | paste -sd ,)" "$A"
shows "the old ones are gone" "label=site" "$B" "$C"
call PATCH "/sa-contexts/$A" "{\"labels\": {$(pairs 17)}}"
answered "seventeen" 400 FWP_E_OUT_OF_BOUNDS /labels
call POST /sa-contexts "{\"localAddress\": \"192.0.2.1\", \"remoteAddress\": \"198.51.100.7\",
    \"trafficType\": \"transport\", \"ipsecFilterId\": $OUT4, \"labels\": {$(pairs 17)}}"
answered "seventeen at once" 400 FWP_E_OUT_OF_BOUNDS /labels
call PATCH "/sa-contexts/$A" '{"labels": {"": "x"}}'
answered "a label without a name" 400 FWP_E_INVALID_PARAMETER
call PATCH "/sa-contexts/$A" '{"labels": {"a": 1}}'
answered "a value that is no text" 400 FWP_E_TYPE_MISMATCH /labels/a
call PATCH "/sa-contexts/$A" '{"labels": {}}'
is "none from now on" "$STATUS $(member '.labels | length')" "200 0"
shows "which a list sees" "label=n1"

finish
