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
	pod        *corev1.Pod
	folder     string
	containers map[string]*container
	// reported tells that the API server knows it to run; only syncPod looks at it.
	reported bool
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
	case pod == nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return nil
	case pod.DeletionTimestamp != nil:
		return k.removePod(ctx, key, pod, before)
	case before != nil:
		if _, err := k.volumesOf(ctx, withDefaultToken(pod), before.folder); err != nil {
			return err
		}
		return k.reportRunning(ctx, before)
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
	return k.reportRunning(ctx, started)
}

// makePod makes volumes and root file systems. After a failure it may be called again for the same pod.
func (k *kubelet) makePod(ctx context.Context, pod *corev1.Pod) (*startedPod, error) {
	if err := refuse(pod); err != nil {
		return nil, err
	}
	pod = withDefaultToken(pod)
	folder := filepath.Join(k.settings.root, pod.Namespace, string(pod.UID))
	// Mounts of an attempt that failed half-way would lie under the new ones.
	if err := unmountAll(folder); err != nil {
		return nil, err
	}
	volumes, err := k.volumesOf(ctx, pod, folder)
	if err != nil {
		return nil, err
	}
	started := &startedPod{pod: pod, folder: folder, containers: map[string]*container{}}
	objects := namespaceObjects{ctx, k.cluster.client, pod.Namespace}
	for i := range pod.Spec.Containers {
		spec := &pod.Spec.Containers[i]
		made := &container{pod: pod, spec: spec, root: filepath.Join(folder, spec.Name)}
		if made.environment, err = containerEnvironment(pod, spec, k.settings, objects); err != nil {
			return nil, fmt.Errorf("container %q: %w", spec.Name, err)
		}
		if made.credential, err = credentialOf(pod, spec); err != nil {
			return nil, fmt.Errorf("container %q: %w", spec.Name, err)
		}
		if err := k.makeRootFS(pod, spec, made.root, volumes); err != nil {
			return nil, fmt.Errorf("container %q: %w", spec.Name, err)
		}
		started.containers[spec.Name] = made
	}
	return started, nil
}

// refuse names what this program would have to pretend.
func refuse(pod *corev1.Pod) error {
	switch {
	case len(pod.Spec.InitContainers) > 0:
		return unsupported("init containers")
	case pod.Spec.HostPID || isTrue(pod.Spec.ShareProcessNamespace):
		return unsupported("shared process namespaces")
	}
	return nil
}

// removePod ends the pod at once and tells the API server that it is gone.
func (k *kubelet) removePod(ctx context.Context, key string, pod *corev1.Pod, started *startedPod) error {
	if started != nil {
		if err := k.end(key, started); err != nil {
			return err
		}
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
	for _, container := range started.containers {
		if err := container.killAll(); err != nil {
			return err
		}
	}
	if err := unmountAll(started.folder); err != nil {
		return err
	}
	return removeTree(started.folder)
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
