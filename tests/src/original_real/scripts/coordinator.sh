# One run of the original's coordinator, in our own words; `sh -c` of a CronJob of every minute that replaces a run not yet over.
# Calls, names and pauses are the original's. (Where sh is bash, its variable of the groups would be one that bash keeps for itself;
# here it works, as with dash.)
stamp() { date --utc "$@" +%Y-%m-%dT%H:%M:%SZ; }
in_velero() { kubectl --namespace velero "$@"; }
count() { in_velero get configmap -l "app=velero-snapshot-$1,group=$2" --no-headers | wc -l; }

# Markers are found by labels, which no hook gives them.
waiting_groups=$(in_velero get configmap -l app=velero-snapshot-wait -o jsonpath='{.items[*].metadata.labels.group}' |
  tr ' ' '\n' | sort -u)

for group in $waiting_groups; do
  waiting=$(count wait "$group")
  completed=$(count complete "$group")
  echo "$group: $waiting wait, $completed have completed"

  # Somebody waits, and as many have completed: then it releases, whoever waits or comes.
  if [ "$waiting" -gt 0 ] && [ "$waiting" -eq "$completed" ]; then
    proceed="snapshot-proceed-$group"
    if in_velero get configmap "$proceed" >/dev/null 2>&1; then
      in_velero patch configmap "$proceed" --type merge --patch "data: {status: ready, updated: '$(stamp)'}"
    else
      in_velero create configmap "$proceed" --from-literal=status=ready --from-literal=updated="$(stamp)"
    fi
    # The next run replaces this one in its sleep; as process 1 of its container it hears no SIGTERM and wakes in the grace period.
    sleep 60
    in_velero delete configmap -l "app=velero-snapshot-complete,group=$group"
    in_velero delete configmap "$proceed"
  fi
done

# Labelled markers older than an hour are removed.
an_hour_ago=$(stamp --date=-1hour)
for kind in wait:timestamp complete:timestamp proceed:created; do
  old=$(in_velero get configmap -l "app=velero-snapshot-${kind%:*}" \
    -o jsonpath="{.items[?(@.data.${kind#*:} < \"$an_hour_ago\")].metadata.name}")
  for name in $old; do in_velero delete configmap "$name"; done
done
