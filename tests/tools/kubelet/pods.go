package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/informers"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/ptr"
)

// podAddress is every pod's and every node's: there is one network.
const podAddress = "127.0.0.1"

const (
	// refreshInterval is how often volumes that follow the API server are looked at again when nothing calls for it;
	// a token is renewed with minutes to spare.
	refreshInterval = 10 * time.Second
	// Waiting for a claim or a ConfigMap should not slow a test down; half a second bounds the noise of what never comes.
	retryFirst = 50 * time.Millisecond
	retryLast  = 500 * time.Millisecond
	podWorkers = 8
)

// kubelet knows the pods that it has started.
type kubelet struct {
	settings settings
	cluster  *cluster
	record   *execLog
	pods     corelisters.PodLister
	queue    workqueue.TypedRateLimitingInterface[string]

	lock sync.Mutex
	// started holds pods by namespace/name.
	started map[string]*startedPod
}

// startedPod is what this process has made for a pod.
type startedPod struct {
	pod    *corev1.Pod
	folder string
	// ordered are all containers, those that run first in the order of the spec; containers are the others by name.
	ordered    []*container
	containers map[string]*container
	// told is the status that the API server has; only syncPod looks at it.
	told []byte
	run  podRun

	lock    sync.Mutex
	volumes map[string]volume
}

func newKubelet(settings settings, cluster *cluster, record *execLog) (*kubelet, error) {
	return &kubelet{
		settings: settings,
		cluster:  cluster,
		record:   record,
		queue:    workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[string](retryFirst, retryLast)),
		started:  map[string]*startedPod{},
	}, nil
}

// syncPods starts, refreshes and ends the node's pods until ctx ends.
func (k *kubelet) syncPods(ctx context.Context) error {
	onNode := func(node string) informers.SharedInformerOption {
		return informers.WithTweakListOptions(func(options *metav1.ListOptions) {
			options.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", node).String()
		})
	}
	mine := informers.NewSharedInformerFactoryWithOptions(k.cluster.client, refreshInterval, onNode(k.settings.node))
	k.pods = mine.Core().V1().Pods().Lister()
	enqueue := func(object any) {
		if key, err := cache.DeletionHandlingMetaNamespaceKeyFunc(object); err == nil {
			k.queue.Add(key)
		}
	}
	if _, err := mine.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: enqueue, UpdateFunc: func(_, now any) { enqueue(now) }, DeleteFunc: enqueue,
	}); err != nil {
		return err
	}
	mine.Start(ctx.Done())
	mine.WaitForCacheSync(ctx.Done())
	if k.settings.schedule {
		homeless := informers.NewSharedInformerFactoryWithOptions(k.cluster.client, refreshInterval, onNode(""))
		if err := k.bindPods(ctx, homeless); err != nil {
			return err
		}
	}
	var workers sync.WaitGroup
	for range podWorkers {
		workers.Go(func() { k.work(ctx) })
	}
	<-ctx.Done()
	k.queue.ShutDown()
	workers.Wait()
	return nil
}

func (k *kubelet) work(ctx context.Context) {
	for {
		key, stop := k.queue.Get()
		if stop {
			return
		}
		if err := k.syncPod(ctx, key); err != nil && ctx.Err() == nil {
			if !errors.As(err, &waitingError{}) {
				log.Printf("pod %s: %v", key, err)
			}
			k.queue.AddRateLimited(key)
		} else {
			k.queue.Forget(key)
		}
		k.queue.Done(key)
	}
}

// syncPod makes this machine agree with what the API server says of one pod. It never runs twice at once for one key.
func (k *kubelet) syncPod(ctx context.Context, key string) error {
	namespace, name, err := cache.SplitMetaNamespaceKey(key)
	if err != nil {
		return err
	}
	pod, err := k.pods.Pods(namespace).Get(name)
	if err != nil && !isAbsent(err) {
		return err
	}
	before := k.find(key)
	if before != nil && (pod == nil || pod.UID != before.pod.UID) {
		// Removed by force, or replaced already.
		if err := k.end(key, before); err != nil {
			return err
		}
		before = nil
	}
	switch {
	case pod == nil:
		return nil
	case pod.DeletionTimestamp != nil:
		return k.removePod(ctx, key, pod, before)
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return nil
	case before != nil:
		if err := k.refresh(ctx, pod, before); err != nil {
			return err
		}
		return k.report(ctx, before)
	}
	return k.startPod(ctx, key, pod)
}

// waitingError has been told to the pod's status and to the log.
type waitingError struct{ error }

func (k *kubelet) startPod(ctx context.Context, key string, pod *corev1.Pod) error {
	started, err := k.makePod(ctx, pod)
	if isUnsupported(err) {
		return k.reportWaiting(ctx, pod, err)
	} else if err != nil {
		return waitingError{errors.Join(err, k.reportWaiting(ctx, pod, err))}
	}
	k.lock.Lock()
	k.started[key] = started
	k.lock.Unlock()
	k.begin(key, started)
	return k.report(ctx, started)
}

// makePod makes volumes and root file systems. After a failure it may be called again for the same pod.
func (k *kubelet) makePod(ctx context.Context, pod *corev1.Pod) (*startedPod, error) {
	if err := k.refuse(pod); err != nil {
		return nil, err
	}
	pod = withDefaultToken(pod)
	folder := k.folderOf(pod)
	started := &startedPod{pod: pod, folder: folder, containers: map[string]*container{}}
	if err := k.refresh(ctx, pod, started); err != nil {
		return nil, err
	}
	for i := range pod.Spec.InitContainers {
		made := k.newContainer(pod, &pod.Spec.InitContainers[i])
		made.initial = true
		started.ordered = append(started.ordered, made)
	}
	for i := range pod.Spec.Containers {
		made := k.newContainer(pod, &pod.Spec.Containers[i])
		started.ordered = append(started.ordered, made)
		started.containers[made.spec.Name] = made
	}
	for _, made := range started.ordered {
		made.root = filepath.Join(folder, made.spec.Name)
		if err := k.makeContainer(ctx, made, started.volumes); err != nil {
			return nil, fmt.Errorf("container %q: %w", made.spec.Name, err)
		}
	}
	return started, nil
}

func (k *kubelet) newContainer(pod *corev1.Pod, spec *corev1.Container) *container {
	return &container{pod: pod, spec: spec, entrypoint: k.settings.entrypoints[spec.Image]}
}

// refresh makes the pod's volumes, or brings those up to date that follow the API server.
func (k *kubelet) refresh(ctx context.Context, pod *corev1.Pod, started *startedPod) error {
	started.lock.Lock()
	defer started.lock.Unlock()
	volumes, err := k.volumesOf(ctx, withDefaultToken(pod), started.folder)
	if err != nil {
		return err
	}
	started.volumes = volumes
	return nil
}

// makeContainer makes the environment and the root file system. What is there stays: an earlier run of this program may
// have left it, and processes that live in it.
func (k *kubelet) makeContainer(ctx context.Context, made *container, volumes map[string]volume) error {
	objects := namespaceObjects{ctx, k.cluster.client, made.pod.Namespace}
	var err error
	if made.environment, err = containerEnvironment(made.pod, made.spec, k.settings, objects); err != nil {
		return err
	}
	if made.credential, err = credentialOf(made.pod, made.spec); err != nil {
		return err
	}
	if err := unmountAll(made.root); err != nil {
		return err
	}
	return k.makeRootFS(made.pod, made.spec, made.root, volumes)
}

// refuse names what this program would have to pretend.
func (k *kubelet) refuse(pod *corev1.Pod) error {
	if pod.Spec.HostPID || isTrue(pod.Spec.ShareProcessNamespace) {
		return unsupported("shared process namespaces")
	}
	if len(pod.Spec.InitContainers) > 0 && !k.settings.runContainers {
		return unsupported("init containers without --run-containers")
	}
	for _, container := range pod.Spec.InitContainers {
		if container.RestartPolicy != nil {
			return unsupported("init container %q with a restartPolicy", container.Name)
		}
		if len(container.Command) == 0 && k.settings.entrypoints[container.Image] == "" {
			return unsupported("init container %q without a command: its image's own is not known", container.Name)
		}
	}
	for _, container := range pod.Spec.Containers {
		if k.settings.runContainers && container.Lifecycle != nil {
			return unsupported("lifecycle hooks of container %q", container.Name)
		}
	}
	return nil
}

// removePod ends the pod and tells the API server that it is gone. Without commands of its own a pod ends at once; else
// its containers have their grace period, and this is called again at its end.
func (k *kubelet) removePod(ctx context.Context, key string, pod *corev1.Pod, started *startedPod) error {
	if started != nil {
		grace := time.Duration(ptr.Deref(pod.DeletionGracePeriodSeconds, 0)) * time.Second
		if !started.run.stop(grace, func() { k.queue.Add(key) }) {
			return nil
		}
		if err := k.end(key, started); err != nil {
			return err
		}
	} else if err := clearFolder(k.folderOf(pod)); err != nil {
		// It was not started here, or by an earlier run of this program.
		return err
	}
	err := k.cluster.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, metav1.DeleteOptions{
		GracePeriodSeconds: ptr.To(int64(0)), Preconditions: metav1.NewUIDPreconditions(string(pod.UID)),
	})
	if isAbsent(err) {
		return nil
	}
	return err
}

// end kills what runs in the pod and removes its files; persistent volumes stay.
func (k *kubelet) end(key string, started *startedPod) error {
	// First out of the table: nothing new may start in it.
	k.lock.Lock()
	delete(k.started, key)
	k.lock.Unlock()
	started.run.cancel()
	if err := killUnder(started.folder); err != nil {
		return err
	}
	started.run.wait()
	return clearFolder(started.folder)
}

// clearFolder ends all that runs below a pod's folder and removes it.
func clearFolder(folder string) error {
	return errors.Join(killUnder(folder), unmountAll(folder), removeTree(folder))
}

func (k *kubelet) folderOf(pod *corev1.Pod) string {
	return filepath.Join(k.settings.root, pod.Namespace, string(pod.UID))
}

func (k *kubelet) find(key string) *startedPod {
	k.lock.Lock()
	defer k.lock.Unlock()
	return k.started[key]
}

// bindPods gives pods without a node to this one, as a scheduler that has one node.
func (k *kubelet) bindPods(ctx context.Context, homeless informers.SharedInformerFactory) error {
	bind := func(object any) {
		pod, ok := object.(*corev1.Pod)
		if !ok || pod.Spec.NodeName != "" || pod.DeletionTimestamp != nil {
			return
		}
		binding := &corev1.Binding{
			ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
			Target:     corev1.ObjectReference{Kind: "Node", Name: k.settings.node},
		}
		// Refreshing tries again what failed.
		if err := k.cluster.client.CoreV1().Pods(pod.Namespace).Bind(ctx, binding, metav1.CreateOptions{}); err != nil && ctx.Err() == nil {
			log.Printf("pod %s/%s: cannot bind it to node %s: %v", pod.Namespace, pod.Name, k.settings.node, err)
		}
	}
	_, err := homeless.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: bind, UpdateFunc: func(_, now any) { bind(now) },
	})
	homeless.Start(ctx.Done())
	return err
}
